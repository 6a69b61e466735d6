"""What a network's builder is told beside the images and the classes."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class NetworkOptions:
    """Choices within an architecture, by their flags' names.

    Attributes:
        depth: Blocks of the ConvNet, >= 1.
        width: Channels of each of them.
        norm: Key of `plain_layers.NORMS`, for every network that has norms.
        activation: Key of `plain_layers.ACTIVATIONS`, of the ConvNet.
        pooling: Key of `plain_layers.POOLINGS`, of the ConvNet.
    """

    depth: int = 3
    width: int = 128
    norm: str = "instance"
    activation: str = "relu"
    pooling: str = "average"
