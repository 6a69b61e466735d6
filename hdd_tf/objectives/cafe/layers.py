"""The maps of several layers of a network, each matched by itself.

CAFE compares the means of four layers: the ReLU maps of the last three blocks before
pooling, and the features. In Euclidean geometry that is one long feature vector. In
hyperbolic geometry every layer is lifted by itself, because in one vector the long maps
would drown the features.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.geometry.registry import Geometry, build_geometry
from hdd_tf.networks.functional import FunctionalNetwork

# Weights of the last blocks' maps, the very last at the end, and of the features. The
# program counts the features twice: as the fourth layer, and as the classes' centres.
MAP_WEIGHTS = (0.1, 0.1, 1.0)
FEATURES_WEIGHT = 2.0


class LayerComparison:
    """Compares the class means of a network's layers, in a geometry.

    Args:
        network: Network of the synthetic images, which provides the maps of its blocks.
        real_network: The same network for real images, in another precision.
        geometry: Geometry of all layers.

    Raises:
        InputError: the network does not provide the maps of its blocks.
    """

    def __init__(
        self,
        network: FunctionalNetwork,
        real_network: FunctionalNetwork,
        geometry: Geometry[Any],
    ) -> None:
        self._network = network.with_blocks()
        self._real_network = real_network.with_blocks()
        self._geometry = geometry

    def real_layers(
        self, weights: list[tf.Tensor], images: tf.Tensor
    ) -> list[tf.Tensor]:
        """Returns the layers of real images; see `layers_of`."""
        return layers_of(self._real_network.block_outputs(weights, images))

    def synthetic_layers(
        self, weights: list[tf.Tensor], images: tf.Tensor
    ) -> list[tf.Tensor]:
        """Returns the layers of synthetic images; see `layers_of`."""
        return layers_of(self._network.block_outputs(weights, images))

    def summarize(self, layers: Sequence[tf.Tensor], weights: tf.Tensor) -> list[Any]:
        """Returns the summary of each layer of one class's real images.

        Args:
            layers: `[n, d]` values of n images in each layer.
            weights: `[n]` weights of the images.

        Returns:
            For each layer a summary of the geometry, without the dimension of classes.
        """
        found = [
            self._geometry.summarize(layer[None], weights[None]) for layer in layers
        ]
        return tf.nest.map_structure(lambda x: x[0], found)

    def merge(self, parts: list[Any]) -> list[Any]:
        """Merges the summaries of parts of the same classes.

        Args:
            parts: Summaries of all layers, with tensors `[c, p, ...]`.

        Returns:
            Summaries with tensors `[c, ...]`.
        """
        if tf.nest.flatten(parts)[0].shape[1] == 1:
            return tf.nest.map_structure(lambda x: x[:, 0], parts)
        swapped = tf.nest.map_structure(_swap, parts)
        return [self._geometry.merge(layer) for layer in swapped]

    def losses(self, real: list[Any], layers: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Returns the distance of each class in each layer, without its weight.

        Args:
            real: Summaries of c classes in each layer; no gradient flows to them.
            layers: `[c, m, d]` values of m synthetic images of each class.

        Returns:
            `[c]` losses of each layer.
        """
        pairs = zip(real, layers, strict=True)
        return [self._geometry.loss(summary, layer) for summary, layer in pairs]

    def loss(self, real: list[Any], layers: Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns the weighted sum `[c]` of `losses`, whose arguments it takes."""
        losses = self.losses(real, layers)
        weights = (*MAP_WEIGHTS[-(len(losses) - 1) :], FEATURES_WEIGHT)
        pairs = zip(weights, losses, strict=True)
        return tf.add_n([weight * loss for weight, loss in pairs])


def layers_of(outputs: dict[str, Any]) -> list[tf.Tensor]:
    """Returns the layers that are matched.

    Args:
        outputs: Outputs of `FunctionalNetwork.block_outputs` for n images.

    Returns:
        `[n, d]` flat maps of the last three blocks, or of all blocks of a network with
        fewer, and at the end the `[n, d]` features.
    """
    maps = outputs["activations"][-len(MAP_WEIGHTS) :]
    flat = [tf.reshape(m, [-1, m.shape[1] * m.shape[2] * m.shape[3]]) for m in maps]
    return [*flat, outputs["features"]]


def layer_comparison(context: MethodContext) -> LayerComparison:
    """Returns the comparison in the geometry of a run's settings.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: the network does not provide the maps of its blocks, or an option
            of the geometry is out of its range.
    """
    geometry = build_geometry(context.config)
    return LayerComparison(context.network, context.fast_network, geometry)


def _swap(parts: tf.Tensor) -> tf.Tensor:
    """Swaps the first two dimensions."""
    return tf.transpose(parts, [1, 0, *range(2, parts.shape.rank)])
