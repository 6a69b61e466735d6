"""Comparisons of feature vectors, or of other readouts of a network's outputs.

A comparison of features has two parts. The *readout* computes the vector of an image:
its features, the maps of all blocks, or attention maps. The *discrepancy* summarises
the vectors of a class, and computes how far synthetic vectors are from the summary. It
is a geometry (centroids and their distance), or kernels, moments, sums of several.
"""

from collections.abc import Callable
from typing import Any, cast

import tensorflow as tf

from hdd_tf.distillation.comparison import (
    Discrepancy,
    Merging,
    RealBatch,
    SyntheticBatch,
    learner_of,
)
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.objective import Pass
from hdd_tf.errors import InputError
from hdd_tf.geometry.registry import build_geometry
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.objectives.matched_maps import PartsDiscrepancy, block_readout, block_sizes

# (outputs of a network for n images) -> `[n, d]` float32 vectors, each of which depends
# on its own image alone.
Readout = Callable[[dict[str, Any]], tf.Tensor]


def last_features(outputs: dict[str, Any]) -> tf.Tensor:
    """Returns the features before the classifier, `[n, d]`."""
    return outputs["features"]


class FeatureComparison:
    """Compares vectors that a network computes of images; see `Comparison`.

    Args:
        network: The network, a function of its weights.
        discrepancy: Discrepancy of the vectors.
        readout: Function from the network's outputs to the vectors.
        blocks: True if the readout needs the maps of the network's blocks
            (`FunctionalNetwork.block_outputs`).
        real_network: The same network for real images, in another precision; None for
            `network` itself.

    Raises:
        InputError: `blocks` is True, and the network does not provide their maps.
    """

    def __init__(
        self,
        network: FunctionalNetwork,
        discrepancy: Discrepancy,
        readout: Readout = last_features,
        blocks: bool = False,
        real_network: FunctionalNetwork | None = None,
    ) -> None:
        self.merges = discrepancy.merges
        self.learner = learner_of(discrepancy)
        # The check for blocks is here, so that it fails before anything is trained.
        self._outputs = _outputs_of(network, blocks)
        self._real_outputs = _outputs_of(real_network or network, blocks)
        self._network = network
        self._discrepancy = discrepancy
        self._readout = readout

    def summarize(self, work: Pass, real: RealBatch) -> Any:
        """Returns the summary of the real images' vectors; see `Comparison`."""
        features = real.map(
            lambda images: self._readout(self._real_outputs(work.weights, images))
        )
        return self._discrepancy.summarize(features, real.weights)

    def loss(self, work: Pass, real: Any, synthetic: SyntheticBatch) -> tf.Tensor:
        """Returns the discrepancy plus the weighted cross-entropy; see `Comparison`."""
        return self._compared(work, real, synthetic, self._discrepancy.loss)

    def loss_and_facts(
        self, work: Pass, real: Any, synthetic: SyntheticBatch
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the loss and what the learner has to know; see `Learning`."""
        told: list[tf.Tensor] = []

        def loss(real: Any, features: tf.Tensor) -> tf.Tensor:
            found, facts = cast(Any, self._discrepancy).loss_and_facts(real, features)
            told.append(facts)
            return found

        return self._compared(work, real, synthetic, loss), told[0]

    def _compared(
        self,
        work: Pass,
        real: Any,
        synthetic: SyntheticBatch,
        discrepancy: Callable[[Any, tf.Tensor], tf.Tensor],
    ) -> tf.Tensor:
        """Returns the loss of each class `[b]`, with a function for the discrepancy."""
        leading = synthetic.images.shape[:2]
        outputs = self._outputs(
            work.weights,
            tf.reshape(synthetic.images, [-1, *synthetic.images.shape[2:]]),
        )
        loss = tf.zeros([leading[0]])
        if work.compare:
            features = tf.reshape(self._readout(outputs), [*leading, -1])
            loss += discrepancy(real, features)
        if work.cross_entropy_weight is not None:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                tf.repeat(synthetic.labels, leading[1]), outputs["logits"]
            )
            losses = tf.reshape(losses, leading)
            loss += work.cross_entropy_weight * tf.reduce_mean(losses, axis=1)
        return loss

    def merge(self, parts: Any) -> Any:
        """Returns the summary of the union of parts; see `Merging`."""
        return cast(Merging, self._discrepancy).merge(parts)

    def empty_summary(self, num_classes: int) -> Any:
        """Returns the summary of zero vectors, `[num_classes, ...]`."""
        zeros = tf.zeros([num_classes, 1, self._feature_dim()])
        return self._discrepancy.summarize(zeros)

    def _feature_dim(self) -> int:
        """Returns the vectors' length d, from the output shape of a traced readout."""
        shapes = [tf.TensorSpec(s, tf.float32) for s in self._network.weight_shapes]
        images = tf.TensorSpec([1, *self._network.model.input_shape[1:]], tf.float32)
        read = tf.function(
            lambda w, x: self._readout(self._outputs(w, x)), autograph=False
        )
        return int(read.get_concrete_function(shapes, images).output_shapes[-1])


def geometry_comparison(
    context: MethodContext, readout: Readout = last_features, blocks: bool = False
) -> FeatureComparison:
    """Returns the comparison of a readout in the geometry of a run's settings.

    Args:
        context: The run's settings, data, network and devices.
        readout: Function from the network's outputs to the vectors.
        blocks: True if the readout needs the maps of the network's blocks.

    Raises:
        InputError: an option of the geometry is out of its range.
    """
    geometry = build_geometry(context.config)
    return FeatureComparison(
        context.network, geometry, readout, blocks, context.fast_network
    )


def maps_comparison(context: MethodContext) -> FeatureComparison:
    """Returns the comparison of the maps of `--matched_maps`, in the run's geometry.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: the network does not provide the maps of its blocks, or an option of
            the geometry is out of its range.
    """
    kind = context.config.matched_maps
    if kind == "last":
        return geometry_comparison(context)
    sizes = block_sizes(context.network, kind)
    parts = [build_geometry(context.config) for _ in sizes]
    if any(learner_of(part) for part in parts):
        raise InputError(
            f"--matched_maps={kind} adds distances of several maps, and --geometry="
            f"{context.config.geometry} learns what one distance is: leave it at last"
        )
    discrepancy = PartsDiscrepancy(sizes[:-1], parts, [1.0] * len(sizes))
    return FeatureComparison(
        context.network,
        discrepancy,
        block_readout(kind),
        blocks=True,
        real_network=context.fast_network,
    )


def _outputs_of(
    network: FunctionalNetwork, blocks: bool
) -> Callable[[list[tf.Tensor], tf.Tensor], dict[str, Any]]:
    return network.with_blocks().block_outputs if blocks else network.outputs
