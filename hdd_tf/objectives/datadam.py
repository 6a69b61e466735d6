"""DataDAM: attention maps and features of random networks, Sajedi et al., ICCV 2023.

In a fresh ConvNet each iteration, class means of normalised attention maps are matched
besides those of the features:

    loss = 100 (sum over classes and over all ReLUs but the last of |difference of mean
                attention|^2 + lambda |difference of mean features|^2).

Source: arXiv 2310.00093, and the program DataDistillation/DataDAM at 0f6ea09, which has
batch norm, powers p = 1 and lambda = .01. In hyperbolic space, which is our choice,
each map and the features are lifted apart, and the distances of their centroids take
the place of the squares.
"""

import functools
from typing import Any

import tensorflow as tf

from hdd_tf.distillation.classwise import ClasswiseMatching, one_of_named
from hdd_tf.distillation.comparison import Comparison, RealBatch, SyntheticBatch
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.objective import Pass
from hdd_tf.distributed.precision import policy_of
from hdd_tf.errors import InputError
from hdd_tf.geometry.registry import build_geometry
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.registry import build_network
from hdd_tf.objectives.attention import attention, attention_readout
from hdd_tf.objectives.batch_statistics import BatchConvNet
from hdd_tf.objectives.dm import DistributionMatching
from hdd_tf.objectives.features import Discrepancy, FeatureComparison
from hdd_tf.objectives.matched_maps import PartsDiscrepancy

# The program's factor of the whole loss. Hyperbolic losses have `--loss_weight`.
_FACTOR = 100.0


class BatchStatisticsComparison:
    """Compares vectors that a `BatchConvNet` reads of images; see `Comparison`.

    All classes of an iteration have to be one block, whose statistics they share.

    Args:
        network: The network of synthetic images.
        real_network: The network of real images, the same one in another precision.
        discrepancy: Discrepancy of the vectors.
        size: Length of the vectors.
    """

    # A class's vectors depend on the other classes.
    merges = False

    def __init__(
        self,
        network: BatchConvNet,
        real_network: BatchConvNet,
        discrepancy: Discrepancy,
        size: int,
    ) -> None:
        self._network = network
        self._real_network = real_network
        self._discrepancy = discrepancy
        self._size = size

    def summarize(self, work: Pass, real: RealBatch) -> Any:
        """Returns the summary of the real images' vectors; see `Comparison`."""
        images = real.map(lambda images: images)
        vectors = self._real_network.vectors(
            work.weights,
            tf.reshape(images, [-1, *images.shape[2:]]),
            tf.reshape(real.weights, [-1]),
        )
        vectors = tf.reshape(vectors, [*images.shape[:2], self._size])
        return self._discrepancy.summarize(vectors, real.weights)

    def loss(self, work: Pass, real: Any, synthetic: SyntheticBatch) -> tf.Tensor:
        """Returns the discrepancies `[b]`; see `Comparison`."""
        shape = synthetic.images.shape
        images = tf.reshape(synthetic.images, [-1, *shape[2:]])
        vectors = self._network.vectors(work.weights, images)
        vectors = tf.reshape(vectors, [*shape[:2], self._size])
        return self._discrepancy.loss(real, vectors)

    def empty_summary(self, num_classes: int) -> Any:
        """Returns the summary of zero vectors, `[num_classes, ...]`."""
        return self._discrepancy.summarize(tf.zeros([num_classes, 1, self._size]))


def build(context: MethodContext) -> ClasswiseMatching:
    """Builds DataDAM, in the geometry of the settings.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: settings and data do not fit.
    """
    config = context.config
    network, has_batch_norm = context.network, config.datadam_batch_norm
    if has_batch_norm:
        _check_batch_norm(context)
    sizes = _sizes(network.with_blocks())
    comparison: Comparison
    if has_batch_norm:
        comparison = _with_batch_norm(context, sizes)
        network = build_network(
            "convnet_batch", context.dataset.image_shape, context.dataset.num_classes,
            config.depth, config.width,
        )  # fmt: skip
    else:
        comparison = FeatureComparison(
            network,
            _discrepancy(config, sizes[:-1]),
            attention_readout(config.datadam_power),
            blocks=True,
            real_network=context.fast_network,
        )
    return ClasswiseMatching(
        context,
        DistributionMatching(network, config.seed, config.iterations_per_network),
        comparison,
        one_of_named(context),
        plan_blocks=functools.partial(
            context.class_blocks, couples_classes=has_batch_norm
        ),
    )


def _check_batch_norm(context: MethodContext) -> None:
    config = context.config
    network = config.network, config.activation, config.pooling
    if network != ("convnet", "relu", "average"):
        raise InputError(
            "--datadam_batch_norm=true is of --network=convnet --activation=relu "
            "--pooling=average: give these, or --datadam_batch_norm=false"
        )
    replicas = context.strategy.num_replicas_in_sync
    if replicas > 1:
        raise InputError(
            "--datadam_batch_norm=true is over all images of an iteration, on one "
            f"device, and {replicas} compute here: give --strategy=one_device, or "
            "--datadam_batch_norm=false"
        )


def _with_batch_norm(
    context: MethodContext, sizes: list[int]
) -> BatchStatisticsComparison:
    """Returns the comparison in networks with batch norm.

    Args:
        context: The run's settings, data, network and devices.
        sizes: Sizes of the attention maps, and the number of features.
    """
    config = context.config
    is_rounded = policy_of(config.precision) == "mixed_bfloat16"
    real, synthetic = (
        BatchConvNet(
            context.dataset.image_shape,
            config.depth,
            lambda maps: attention(maps, config.datadam_power),
            context.max_images,
            dtype,
        )
        for dtype in (tf.bfloat16 if is_rounded else tf.float32, tf.float32)
    )
    return BatchStatisticsComparison(
        synthetic, real, _discrepancy(config, sizes[:-1]), sum(sizes)
    )


def _discrepancy(config: Any, sizes: list[int]) -> PartsDiscrepancy:
    """Returns the discrepancy of attention maps of these sizes, and of features."""
    parts = [build_geometry(config) for _ in range(len(sizes) + 1)]
    # The hyperbolic loss has a factor of its own.
    factor = _FACTOR if config.geometry == "euclidean" else 1.0
    weights = [factor] * len(sizes) + [factor * config.datadam_balance]
    return PartsDiscrepancy(sizes, parts, weights)


def _sizes(network: FunctionalNetwork) -> list[int]:
    """Returns the sizes of the attention maps, and the number of features."""
    weights = [tf.TensorSpec(shape, tf.float32) for shape in network.weight_shapes]
    images = tf.TensorSpec([1, *network.model.input_shape[1:]], tf.float32)
    graph = tf.function(network.block_outputs, autograph=False)
    shapes = graph.get_concrete_function(weights, images).output_shapes
    maps = shapes["activations"][:-1]
    return [*(shape[1] * shape[2] for shape in maps), shapes["features"][1]]
