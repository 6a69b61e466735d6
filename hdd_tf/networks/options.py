"""Options of a network's builder, besides image shape and number of classes."""

import dataclasses

from hdd_tf.config import Config


@dataclasses.dataclass(frozen=True)
class NetworkOptions:
    """Choices within an architecture, named like their flags.

    Attributes:
        depth: Blocks of the ConvNet, >= 1.
        width: Channels of each block of the ConvNet.
        norm: Key of `plain_layers.NORMS`, for every network that has norms.
        activation: Key of `plain_layers.ACTIVATIONS`, for the ConvNet.
        pooling: Key of `plain_layers.POOLINGS`, for the ConvNet.
    """

    depth: int = 3
    width: int = 128
    norm: str = "instance"
    activation: str = "relu"
    pooling: str = "average"


def options_of(config: Config) -> NetworkOptions:
    """Returns the choices of a run's settings.

    Args:
        config: The run's settings.
    """
    return NetworkOptions(
        config.depth, config.width, config.norm, config.activation, config.pooling
    )
