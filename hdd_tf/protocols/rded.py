"""RDED's training of students, and of the network that labels their images."""

from typing import Any

from hdd_tf.data.catalogue import HANDEDNESS_MATTERS
from hdd_tf.protocols.training_protocol import TrainingProtocol

# Data sets whose batch does not depend on the images per class.
_BATCHES = {"cifar100": 25}
# Images from this height on are cropped as photographs are; smaller ones are shifted.
_LARGE = 64


def student_protocol(config: Any, dataset: str, epochs: int | None) -> TrainingProtocol:
    """Returns RDED's evaluation (its released program, at 3f6453d).

    Students learn the logits of the set's teacher for each batch as they see it. The
    cosine's period is twice the training, so that the rate ends at half its start.

    Args:
        config: The run's `Config`, of which `ipc`, `rded_factor`, `eval_epochs`,
            `eval_batch` and `eval_lr` are used.
        dataset: Name of the data set, without aliases.
        epochs: Number of epochs that replaces `--eval_epochs`; None for the flag's.
    """
    epochs = epochs or config.eval_epochs or 300
    factor = config.rded_factor
    return TrainingProtocol(
        epochs=epochs,
        batch_size=config.eval_batch or _batch(config.ipc, dataset),
        learning_rate=config.eval_lr,
        weight_decay=0.01,
        cutmix=1.0,
        optimiser="adamw",
        decay_kernels_only=True,
        schedule="cosine",
        period=2.0 * epochs,
        loss="kl",
        labels="teacher",
        temperature=20.0,
        resized_crop=1.0 / factor,
        flip=dataset not in HANDEDNESS_MATTERS,
        shuffled_cells=factor,
        extra_norm_pass=True,
    )


def observer_protocol(
    epochs: int, batch_size: int, dataset: str, image_shape: tuple[int, int, int]
) -> TrainingProtocol:
    """Returns the training of the network that scores crops and labels images.

    This is a proposal of hdd_tf: RDED's own is unknown. SGD with a cosine to 0, on
    images that are mirrored and shifted by an eighth of their size, or cropped at
    random if they are large.

    Args:
        epochs: Number of epochs.
        batch_size: Images per update.
        dataset: Name of the data set, without aliases.
        image_shape: Height, width and channels of the images.
    """
    large = image_shape[0] >= _LARGE
    return TrainingProtocol(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=0.1,
        weight_decay=1e-4,
        schedule="cosine",
        period=float(epochs),
        always=() if large else ("crop",),
        resized_crop=0.08 if large else 1.0,
        flip=dataset not in HANDEDNESS_MATTERS,
    )


def _batch(ipc: int, dataset: str) -> int:
    if dataset in _BATCHES:
        return _BATCHES[dataset]
    if ipc < 10:
        return 10
    return 50 if ipc < 50 else 100
