"""Options of a network's builder, besides image shape and number of classes."""

import dataclasses


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
