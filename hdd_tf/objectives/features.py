"""Comparisons of what a network gives of single images: features, or other readouts.

A comparison of features has two parts of its own. The *readout* says which vector an
image has: the features, the maps of all blocks, attention maps. The *discrepancy* says
how the vectors of a class are summarised and how far synthetic ones are from that: the
geometries (centroids and their distance), or kernels, moments, sums of several.
"""

from collections.abc import Callable
from typing import Any, Protocol

import tensorflow as tf

from hdd_tf.distillation.comparison import RealBatch, SyntheticBatch
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.objective import Pass
from hdd_tf.geometry.registry import build_geometry
from hdd_tf.networks.functional import FunctionalNetwork

# From a network's outputs to `[n, d]` float32; each row is of one image alone.
Readout = Callable[[dict[str, Any]], tf.Tensor]


class Discrepancy(Protocol):
    """How far the synthetic vectors of a class are from the real ones.

    Attributes:
        merges: Whether summaries of parts of a class merge, see `Comparison`.
    """

    merges: bool

    def summarize(self, features: tf.Tensor, weights: tf.Tensor | None = None) -> Any:
        """Summarises vectors `[c, n, d]`, optionally with weights `[c, n]` >= 0.

        Returns:
            A NamedTuple of float32 tensors `[c, ...]`.
        """

    def loss(self, real: Any, synthetic_features: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each class `[c]`; `real` gets no gradient.

        Args:
            real: A summary.
            synthetic_features: `[c, m, d]`.
        """


def last_features(outputs: dict[str, Any]) -> tf.Tensor:
    """Reads the features before the classifier, `[n, d]`."""
    return outputs["features"]


class FeatureComparison:
    """Compares vectors that a network gives of images; see `Comparison`.

    Args:
        network: The network.
        discrepancy: How vectors are compared.
        readout: Which vectors.
        blocks: Whether the readout needs the maps of the network's blocks
            (`FunctionalNetwork.block_outputs`).

    Raises:
        InputError: it does, and the network tells of none.
    """

    def __init__(
        self,
        network: FunctionalNetwork,
        discrepancy: Discrepancy,
        readout: Readout = last_features,
        blocks: bool = False,
    ) -> None:
        self.merges = discrepancy.merges
        # Now, for what cannot be is refused before anything is trained.
        self._outputs = network.outputs
        if blocks:
            self._outputs = network.with_blocks().block_outputs
        self._network = network
        self._discrepancy = discrepancy
        self._readout = readout

    def summarize(self, work: Pass, real: RealBatch) -> Any:
        """Returns the discrepancy's summary of the vectors of real images."""
        features = real.map(
            lambda images: self._readout(self._outputs(work.weights, images))
        )
        return self._discrepancy.summarize(features, real.weights)

    def loss(self, work: Pass, real: Any, synthetic: SyntheticBatch) -> tf.Tensor:
        """Returns the discrepancy, plus the weighted cross-entropy of a pass."""
        leading = synthetic.images.shape[:2]
        outputs = self._outputs(
            work.weights,
            tf.reshape(synthetic.images, [-1, *synthetic.images.shape[2:]]),
        )
        loss = tf.zeros([leading[0]])
        if work.compare:
            features = tf.reshape(self._readout(outputs), [*leading, -1])
            loss += self._discrepancy.loss(real, features)
        if work.cross_entropy_weight is not None:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                tf.repeat(synthetic.labels, leading[1]), outputs["logits"]
            )
            losses = tf.reshape(losses, leading)
            loss += work.cross_entropy_weight * tf.reduce_mean(losses, axis=1)
        return loss

    def empty_summary(self, num_classes: int) -> Any:
        """Returns the summary of vectors of zeros."""
        zeros = tf.zeros([num_classes, 1, self._feature_dim()])
        return self._discrepancy.summarize(zeros)

    def _feature_dim(self) -> int:
        """Returns d, from the shapes that a trace of the readout has."""
        shapes = [tf.TensorSpec(s, tf.float32) for s in self._network.weight_shapes]
        images = tf.TensorSpec([1, *self._network.model.input_shape[1:]], tf.float32)
        read = tf.function(lambda w, x: self._readout(self._outputs(w, x)))
        return int(read.get_concrete_function(shapes, images).output_shapes[-1])


def geometry_comparison(
    context: MethodContext, readout: Readout = last_features, blocks: bool = False
) -> FeatureComparison:
    """Returns the comparison in the geometry that a run's settings ask for.

    Args:
        context: The run's.
        readout: Which vectors are compared.
        blocks: As `FeatureComparison`.

    Raises:
        InputError: an option of the geometry is out of its range.
    """
    geometry = build_geometry(context.config)
    return FeatureComparison(context.network, geometry, readout, blocks)
