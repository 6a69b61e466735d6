"""Vectors in parts, such as the maps of several blocks, each compared by itself.

In one long vector the parts of large maps would drown the others, and in hyperbolic
space all of it would be lifted as one point. So each part has its own summary and its
own distance, and the distances are added.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import tensorflow as tf

from hdd_tf.distillation.comparison import Discrepancy, Merging
from hdd_tf.geometry.layers import widen
from hdd_tf.networks.functional import FunctionalNetwork

# (map of a block after pooling, `[n, h, w, k]` float32) -> its part `[n, d]`.
_PARTS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "blocks": lambda maps: tf.reshape(maps, [-1, maps.shape[1:].num_elements()]),
    "block_means": lambda maps: tf.reduce_mean(maps, axis=[1, 2]),
}


def block_readout(kind: str) -> Callable[[dict[str, Any]], tf.Tensor]:
    """Returns the readout that joins the parts of all blocks.

    Args:
        kind: `blocks`, the flattened maps after pooling, of which the last are the
            features of a ConvNet; or `block_means`, the means over the positions.
    """
    part_of = _PARTS[kind]

    def read(outputs: dict[str, Any]) -> tf.Tensor:
        return tf.concat([part_of(widen(m)) for m in outputs["blocks"]], axis=-1)

    return read


def block_sizes(network: FunctionalNetwork, kind: str) -> list[int]:
    """Returns the length of the part of each block; see `block_readout`.

    Args:
        network: The network, a function of its weights.
        kind: As in `block_readout`.

    Raises:
        InputError: the network does not provide the maps of its blocks.
    """
    part_of, network = _PARTS[kind], network.with_blocks()
    weights = [tf.TensorSpec(shape, tf.float32) for shape in network.weight_shapes]
    images = tf.TensorSpec([1, *network.model.input_shape[1:]], tf.float32)
    graph = tf.function(
        lambda w, x: [part_of(m) for m in network.block_outputs(w, x)["blocks"]],
        autograph=False,
    )
    shapes = graph.get_concrete_function(weights, images).output_shapes
    return [int(shape[-1]) for shape in shapes]


class PartsDiscrepancy:
    """The weighted sum of discrepancies of the parts of vectors; see `Discrepancy`.

    Args:
        sizes: Lengths of all parts but the last, which has what is left.
        discrepancies: Discrepancy of each part.
        weights: Weight of each part.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        discrepancies: Sequence[Discrepancy],
        weights: Sequence[float],
    ) -> None:
        self.merges = all(part.merges for part in discrepancies)
        self._sizes = [*sizes, -1]
        self._discrepancies = discrepancies
        self._weights = weights

    def summarize(self, features: tf.Tensor, weights: tf.Tensor | None = None) -> Any:
        """Returns the summaries of the parts of vectors `[c, n, d]`."""
        return tuple(
            part.summarize(vectors, weights)
            for part, vectors in zip(
                self._discrepancies, self._split(features), strict=True
            )
        )

    def merge(self, parts: Any) -> Any:
        """Returns the summaries of the union of parts, stacked to `[p, c, ...]`."""
        return tuple(
            cast(Merging, part).merge(summaries)
            for part, summaries in zip(self._discrepancies, parts, strict=True)
        )

    def loss(self, real: Any, synthetic_features: tf.Tensor) -> tf.Tensor:
        """Returns the losses `[c]` of vectors `[c, m, d]`."""
        losses = [
            weight * part.loss(summary, vectors)
            for weight, part, summary, vectors in zip(
                self._weights,
                self._discrepancies,
                real,
                self._split(synthetic_features),
                strict=True,
            )
        ]
        return tf.add_n(losses)

    def _split(self, features: tf.Tensor) -> list[tf.Tensor]:
        return tf.split(features, self._sizes, axis=-1)
