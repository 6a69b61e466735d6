"""The evaluation of D4M and of G-VBSM: students learn what trained networks say."""

from typing import Any

from hdd_tf.data.catalogue import HANDEDNESS_MATTERS
from hdd_tf.protocols.training_protocol import TrainingProtocol


def d4m_protocol(config: Any, dataset: str, epochs: int | None) -> TrainingProtocol:
    """Returns the protocol of D4M's sets: DD-Ranking's evaluator for CIFAR.

    What the authors' students of CIFAR trained by is not published.
    """
    epochs = epochs or config.eval_epochs or 500
    return TrainingProtocol(
        epochs=epochs,
        batch_size=config.eval_batch or 100,
        learning_rate=config.eval_lr,
        weight_decay=0.01,
        optimiser="adamw",
        schedule="cosine",
        period=epochs,
        loss="kl",
        labels="teacher",
        temperature=20.0,
        resized_crop=0.08,
        flip=dataset not in HANDEDNESS_MATTERS,
        cutmix=1.0,
    )


def gvbsm_protocol(config: Any, dataset: str, epochs: int | None) -> TrainingProtocol:
    """Returns the protocol of G-VBSM, whose students see stored views and labels.

    What is published of the ConvNet is the command for CIFAR-100. For CIFAR-10 the
    batch is that of ResNet-18's command.
    """
    epochs = epochs or config.eval_epochs or 1000
    return TrainingProtocol(
        epochs=epochs,
        batch_size=config.eval_batch or (100 if dataset == "cifar10" else 64),
        learning_rate=config.eval_lr,
        decay_kernels_only=True,
        schedule="cosine",
        period=float(epochs),
        loss="mse",
        labels="epochs",
        hard_weight=config.gvbsm_hard_weight,
        resized_crop=0.08,
        flip=dataset not in HANDEDNESS_MATTERS,
        cutmix=1.0,
    )
