"""The gradient of CAFE's images: matching, and the loss that couples classes.

Three stages, each a pass over the blocks of a replica's classes, with sums over the
replicas between them:

1. the centres of all classes' synthetic features, without a gradient;
2. of the real images the summaries of all layers, the discrimination loss and its
   derivative by the centres;
3. the gradient of the synthetic images.
"""

from typing import Any

import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.data.class_store import ClassStore
from hdd_tf.distillation.class_loop import ClassLoop
from hdd_tf.distillation.comparison import add_parts
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.real_images import RealImages
from hdd_tf.distillation.synthetic_set import SyntheticSet
from hdd_tf.objectives.cafe.discrimination import discrimination, pull
from hdd_tf.objectives.cafe.layers import LayerComparison
from hdd_tf.random_keys import Purpose, derive_key


class ImageGradient:
    """Computes losses and gradient of all classes; changes no variable.

    Args:
        context: The run's settings, data, network and devices.
        comparison: Comparison of the layers of real and synthetic images.
        synthetic_set: The synthetic images.
        store: The real training images.
        one_of: Names of the transformations of which each class draws one, the same for
            its real and its synthetic images; empty for no augmentation.
    """

    def __init__(
        self,
        context: MethodContext,
        comparison: LayerComparison,
        synthetic_set: SyntheticSet,
        store: ClassStore,
        one_of: tuple[str, ...],
    ) -> None:
        config = context.config
        self._strategy = context.strategy
        self._network = context.network
        self._comparison = comparison
        self._synthetic_set = synthetic_set
        self._store = store
        self._one_of = one_of
        self._seed = config.seed
        self._real_batch = config.real_batch
        self._weight = config.cafe_discrimination_weight
        blocks = context.class_blocks(synthetic_set.decoded_ipc)
        self._real_chunk = blocks.real_chunk
        self._loop = ClassLoop(blocks, synthetic_set.images.shape[0])
        self._summary = _summary_specs(context, comparison)

    def compute(
        self, weights: list[tf.Tensor], network: tf.Tensor, update: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns losses and gradient; call it outside `strategy.run`.

        Args:
            weights: Weights of the network, tensors of its `weight_shapes`.
            network: Number of the network, scalar int32 tensor.
            update: Number of the network's image update, scalar int32 tensor.

        Returns:
            The loss of each class `[C]`, and the gradient `[C, ipc, h, w, c]` of their
            sum. The discrimination loss of a class is that of its real images.
        """
        key, next_key = (
            derive_key(self._seed, Purpose.REAL_BATCH, network, number)
            for number in (update, update + 1)
        )
        drawn = self._store.draw_indices(key, self._real_batch, next_key)
        images = tf.convert_to_tensor(self._synthetic_set.images)
        parameters = dsa.draw_choice(
            derive_key(self._seed, Purpose.AUGMENTATION, network, update),
            dsa.Choice(one_of=self._one_of),
            images.shape,
        )
        centres = self._sum(
            self._strategy.run(lambda: self._centres(weights, images, parameters))
        )
        (summaries, losses), derivative = self._strategy.run(
            lambda: self._real_side(weights, centres, drawn, parameters)
        )
        derivative = self._sum(derivative)
        # Each replica keeps the summaries of its own classes: they are large.
        matched, gradient = self._sum(
            self._strategy.run(
                lambda own: self._synthetic_side(
                    weights, images, own, derivative, parameters
                ),
                (summaries,),
            )
        )
        return matched + self._weight * self._sum(losses), gradient

    def _sum(self, parts: Any) -> Any:
        """Returns the sums over the replicas."""
        return tf.nest.map_structure(
            lambda part: self._strategy.reduce("SUM", part, axis=None), parts
        )

    def _seen(
        self,
        images: tf.Tensor,
        parameters: dsa.DSAParameters | None,
        classes: tf.Tensor,
    ) -> tf.Tensor:
        """Returns what the network sees of stored images of b classes.

        Returns:
            `[b * m, h, w, c]` decoded and augmented images.
        """
        own = dsa.gather(parameters, classes)
        decoded = self._synthetic_set.decode(images)
        augmented = dsa.apply(decoded, own, differentiable=True)
        return tf.reshape(augmented, [-1, *augmented.shape[2:]])

    def _centres(
        self,
        weights: list[tf.Tensor],
        images: tf.Tensor,
        parameters: dsa.DSAParameters | None,
    ) -> tf.Tensor:
        """Returns the mean features `[C, d]` of the replica's classes."""

        def of_block(classes: tf.Tensor) -> tf.Tensor:
            seen = self._seen(tf.gather(images, classes), parameters, classes)
            features = self._network.features(weights, seen)
            return tf.reduce_mean(_by_class(features, classes), axis=1)

        return self._loop.scatter(of_block, tf.float32)

    def _real_side(
        self,
        weights: list[tf.Tensor],
        centres: tf.Tensor,
        drawn: tuple[tf.Tensor, tf.Tensor],
        parameters: dsa.DSAParameters | None,
    ) -> tuple[tuple[Any, tf.Tensor], tf.Tensor]:
        """Returns what the replica's real images say.

        Returns:
            The summaries of the layers and the discrimination losses `[C]`, zero for
            classes of other replicas, and the losses' derivative by the centres.
        """
        rows, row_weights = drawn

        def of_class(images: tf.Tensor, counts: tf.Tensor, label: tf.Tensor) -> tuple:
            layers = self._comparison.real_layers(weights, images)
            summary = self._comparison.summarize(layers, counts)
            return summary, *discrimination(layers[-1], counts, label, centres)

        def join(parts: tuple) -> tuple:
            return self._comparison.merge(parts[0]), *add_parts(parts[1:])

        def of_block(classes: tf.Tensor, valid: tf.Tensor) -> tuple:
            real = RealImages(
                self._store,
                classes,
                tf.gather(rows, classes),
                tf.gather(row_weights, classes),
                dsa.gather(parameters, classes),
                self._real_chunk,
            )
            one = tf.TensorSpec([], tf.float32)
            every = tf.TensorSpec(centres.shape, tf.float32)
            found = real.map_classes(of_class, (self._summary, one, every), join)
            return found[:2], tf.einsum("b,bcd->cd", valid, found[2])

        dtypes = tf.nest.map_structure(lambda spec: spec.dtype, self._summary)
        return self._loop.scatter_and_add(of_block, ((dtypes, tf.float32), tf.float32))

    def _synthetic_side(
        self,
        weights: list[tf.Tensor],
        images: tf.Tensor,
        summaries: Any,
        derivative: tf.Tensor,
        parameters: dsa.DSAParameters | None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the matching losses `[C]` and the gradient of the whole loss."""

        def of_block(classes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            real = tf.nest.map_structure(lambda x: tf.gather(x, classes), summaries)
            own = tf.gather(images, classes)
            with tf.GradientTape() as tape:
                tape.watch(own)
                seen = self._seen(own, parameters, classes)
                layers = self._comparison.synthetic_layers(weights, seen)
                layers = [_by_class(layer, classes) for layer in layers]
                loss = self._comparison.loss(real, layers)
                pulled = pull(tf.gather(derivative, classes), layers[-1])
                total = tf.reduce_sum(loss + self._weight * pulled)
            return loss, tape.gradient(total, own)

        return self._loop.scatter(of_block, (tf.float32, tf.float32))


def _by_class(values: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
    """Returns values `[b * m, d]` of b classes as `[b, m, d]`."""
    return tf.reshape(values, [classes.shape[0], -1, values.shape[-1]])


def _summary_specs(context: MethodContext, comparison: LayerComparison) -> Any:
    """Returns the shapes of the summary of one class's real images."""
    network = context.network
    weights = [tf.TensorSpec(shape, tf.float32) for shape in network.weight_shapes]
    images = tf.TensorSpec([1, *context.dataset.image_shape], tf.float32)
    trace = tf.function(
        lambda w, x: comparison.summarize(comparison.real_layers(w, x), tf.ones([1])),
        autograph=False,
    )
    found = trace.get_concrete_function(weights, images).structured_outputs
    return tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), found)
