"""How a network is trained on a set when the set is scored."""

import dataclasses

from hdd_tf.augment import dsa


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
        augmentations: DSA transformations: one for a batch, parameters per image.
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
