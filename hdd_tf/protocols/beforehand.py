"""How networks that a method needs train on the real images beforehand.

RDED's observer is in `rded.py`, and D4M's teacher trains by `published.dm_protocol`.
"""

from hdd_tf.protocols.published import dance_protocol
from hdd_tf.protocols.training_protocol import TrainingProtocol


def expert_protocol(epochs: int, batch_size: int) -> TrainingProtocol:
    """Returns the protocol of DANCE's experts, which train on the real images.

    Args:
        epochs: Number of epochs; published 60 for CIFAR, 80 for ImageWoof.
        batch_size: Images per update; published 64 for CIFAR, 128 for ImageWoof.
    """
    return dance_protocol(epochs, batch_size, 0.01, "color_crop")


def constant_protocol(epochs: int, batch_size: int) -> TrainingProtocol:
    """Returns a protocol of networks that train on real images, at one rate.

    The programs of DSDM and IID train so before they distill.

    Args:
        epochs: Number of epochs.
        batch_size: Images per update.
    """
    return TrainingProtocol(
        epochs=epochs, batch_size=batch_size, learning_rate=0.01, reset_velocity=False
    )


def squeeze_protocol(epochs: int, batch_size: int, flip: bool) -> TrainingProtocol:
    """Returns the protocol of G-VBSM's pool, which trains on the real images.

    Args:
        epochs: Number of epochs.
        batch_size: Images per update; published 64.
        flip: True if images are mirrored.
    """
    return TrainingProtocol(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=0.05,
        weight_decay=0.0,
        reset_velocity=False,
        padded_crop=4,
        flip=flip,
    )
