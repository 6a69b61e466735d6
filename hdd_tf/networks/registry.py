"""The networks by name; a new one is a file beside this one and a line below."""

from collections.abc import Callable

import keras

from hdd_tf.networks.convnet import build_convnet
from hdd_tf.networks.functional import FunctionalNetwork

# (image_shape, num_classes, depth, width) -> Keras model with features and logits.
NETWORKS: dict[str, Callable[[tuple[int, int, int], int, int, int], keras.Model]] = {
    "convnet": build_convnet,
}


def build_network(
    name: str,
    image_shape: tuple[int, int, int],
    num_classes: int,
    depth: int,
    width: int,
) -> FunctionalNetwork:
    """Builds a network of `NETWORKS` as a function of its weights.

    Args:
        name: Key of `NETWORKS`.
        image_shape: `(height, width, channels)`.
        num_classes: Number of logits.
        depth: Number of blocks, where the network has such a choice.
        width: Channels of each block, likewise.

    Returns:
        The network.
    """
    return FunctionalNetwork(NETWORKS[name](image_shape, num_classes, depth, width))
