"""How networks are trained: to score a set, and as DANCE's experts."""

import dataclasses
from typing import Any

from hdd_tf.augment import dsa
from hdd_tf.data.catalogue import HANDEDNESS_MATTERS


@dataclasses.dataclass(frozen=True)
class TrainingProtocol:
    """Hyper-parameters of training one network.

    Attributes:
        epochs: Passes over the set.
        batch_size: Images per update.
        learning_rate: Before any drop.
        momentum: Of SGD.
        weight_decay: L2, see `sgd.sgd_step`.
        drop_epochs: Numbers of epochs after which the rate drops.
        drop_factor: What the rate is multiplied by at a drop.
        reset_velocity: Whether a drop also clears the momentum.
        always: DSA transformations of every image, parameters per image.
        augmentations: Further ones: one of them for a batch, parameters per image.
        cutmix: How often a batch is mixed (augment/cutmix.py), from 0 to 1.
    """

    epochs: int
    batch_size: int = 256
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4
    drop_epochs: tuple[int, ...] = ()
    drop_factor: float = 0.1
    reset_velocity: bool = True
    augmentations: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    cutmix: float = 0.0

    def without_augmentation(self) -> "TrainingProtocol":
        """Returns the same schedule on images as they are."""
        return dataclasses.replace(self, augmentations=(), always=(), cutmix=0.0)


def protocol_name(config: Any) -> str:
    """Returns what `--eval_protocol` names, or the method's own."""
    if config.eval_protocol != "auto":
        return config.eval_protocol
    return config.traits.evaluation


def evaluation_protocol(
    config: Any, dataset: str, epochs: int | None = None
) -> TrainingProtocol:
    """Returns how networks train when a set is scored.

    Args:
        config: The run's `Config`: `eval_*`, `dsa` and `objective` count.
        dataset: Name of the data set, without aliases.
        epochs: Instead of `--eval_epochs`.
    """
    dance = protocol_name(config) == "dance"
    strategy = config.eval_dsa
    if strategy == "auto":
        names = ["color", "crop", "flip", "scale", "rotate"]
        if dataset in HANDEDNESS_MATTERS:
            names.remove("flip")
        strategy = "_".join(names) if dance else config.dsa
    return (dance_protocol if dance else dm_protocol)(
        epochs or config.eval_epochs or (1500 if dance else 1001),
        config.eval_batch or (64 if dance else 256),
        config.eval_lr,
        strategy,
    )


def dm_protocol(
    epochs: int, batch_size: int, learning_rate: float, dsa_strategy: str
) -> TrainingProtocol:
    """Returns the protocol of DM and IDM (Zhao & Bilen's released program).

    Args:
        epochs: Published: 1,001. After epoch 502 of 1,001 (and likewise just past the
            middle of any other number) the rate drops to a tenth and the optimiser
            starts afresh.
        batch_size: Published: 256.
        learning_rate: Published: 0.01.
        dsa_strategy: Transformations joined by underscores, or `none`.

    Returns:
        The protocol.
    """
    return TrainingProtocol(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        drop_epochs=((epochs - 1) // 2 + 2,),
        augmentations=dsa.parse_strategy(dsa_strategy),
    )


def dance_protocol(
    epochs: int, batch_size: int, learning_rate: float, dsa_strategy: str
) -> TrainingProtocol:
    """Returns the evaluation protocol of DANCE (and of IDC, from which it is).

    Args:
        epochs: Published: 1,500 for CIFAR.
        batch_size: Published: 64.
        learning_rate: Published: 0.01.
        dsa_strategy: Transformations joined by underscores; flip, color and cutout
            always take part where they are named, and one of the others.

    Returns:
        The protocol.
    """
    choice = dsa.dance_choice(dsa.parse_strategy(dsa_strategy))
    return TrainingProtocol(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        drop_epochs=_two_thirds_and_five_sixths(epochs),
        drop_factor=0.2,
        reset_velocity=False,
        always=choice.always,
        augmentations=choice.one_of,
        cutmix=0.5,
    )


def expert_protocol(epochs: int, batch_size: int) -> TrainingProtocol:
    """Returns how DANCE trains its experts on the real images.

    Args:
        epochs: Published: 60 for CIFAR, 80 for ImageWoof.
        batch_size: Published: 64 for CIFAR, 128 for ImageWoof.
    """
    return dance_protocol(epochs, batch_size, 0.01, "color_crop")


def _two_thirds_and_five_sixths(epochs: int) -> tuple[int, ...]:
    return (2 * epochs // 3, 5 * epochs // 6)
