"""Gradients of a network's weights, of whole classes, and their comparison."""

from collections.abc import Sequence

import tensorflow as tf

from hdd_tf.distillation.comparison import RealBatch, SyntheticBatch
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.objective import Pass
from hdd_tf.distributed.class_blocks import ClassBlocks
from hdd_tf.distributed.compilation import differentiated
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.objectives.gradient_matching.row_distance import (
    RowDistance,
    has_rows,
    total_distance,
)
from hdd_tf.objectives.gradient_matching.second_derivatives import (
    check_twice_differentiable,
)

# Maps of the first layer that a pass keeps of an image: for gradients of weights, and
# for gradients of those.
KEPT_ONCE, KEPT_TWICE = 4, 12


def blocks_of_gradients(
    context: MethodContext, synthetic_per_class: int
) -> ClassBlocks:
    """Returns blocks of one class: gradients are of a class, so none shares a pass.

    Args:
        context: The run's settings, data, network and devices.
        synthetic_per_class: Number of synthetic images of each class.
    """
    return context.class_blocks(synthetic_per_class, max_classes=1, maps=KEPT_ONCE)


class WeightGradients:
    """Gradients of the cross-entropy with respect to the weights that have rows.

    Args:
        network: The network, a function of its weights, which computes in float32:
            rounded convolutions would turn rows of small gradients.

    Attributes:
        signature: `tf.TensorSpec` of each gradient, in the order of the weights.

    Raises:
        InputError: the network cannot be differentiated twice.
    """

    def __init__(self, network: FunctionalNetwork) -> None:
        check_twice_differentiable(network, "the gradients of weights are matched")
        self._network = network
        shapes = network.weight_shapes
        self._places = [i for i, shape in enumerate(shapes) if has_rows(shape)]
        self.signature = [tf.TensorSpec(shapes[i], tf.float32) for i in self._places]

    def of(
        self,
        weights: Sequence[tf.Tensor],
        images: tf.Tensor,
        image_weights: tf.Tensor | float,
        labels: tf.Tensor,
    ) -> list[tf.Tensor]:
        """Returns the gradients of the weighted sum of the images' cross-entropies.

        Differentiable with respect to `images` below another tape.

        Args:
            weights: All weights of the network.
            images: `[n, h, w, c]` normalised images.
            image_weights: `[n]` factors of the cross-entropies, or one for all.
            labels: `[n]` int32 class numbers.

        Returns:
            Tensors of `signature`.
        """
        watched = [weights[place] for place in self._places]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(watched)
            logits = self._network.outputs(list(weights), images)["logits"]
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_sum(image_weights * losses)
        return tape.gradient(
            loss, watched, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )


class GradientComparison:
    """Distance of the mean gradients of a class's real and synthetic images.

    A summary is the list of the real images' mean gradients, `[b, ...]` each; see
    `Comparison`.

    Args:
        gradients: Gradients of the network's weights.
        distance: Distance of two rows.
    """

    merges = False

    def __init__(self, gradients: WeightGradients, distance: RowDistance) -> None:
        self._gradients = gradients
        self._distance = distance

    def summarize(self, work: Pass, real: RealBatch) -> list[tf.Tensor]:
        """Returns the mean gradients of each class's real images."""

        def summed(
            images: tf.Tensor, weights: tf.Tensor, label: tf.Tensor
        ) -> list[tf.Tensor]:
            labels = tf.fill(images.shape[:1], label)
            return self._gradients.of(work.weights, images, weights, labels)

        sums = real.map_classes(summed, self._gradients.signature)
        mass = tf.reduce_sum(real.weights, axis=1)
        return [s / tf.reshape(mass, [-1] + [1] * (s.shape.rank - 1)) for s in sums]

    def loss(
        self, work: Pass, real: list[tf.Tensor], synthetic: SyntheticBatch
    ) -> tf.Tensor:
        """Returns the distance of each class's gradients, summed over the rows."""
        num_classes, count = synthetic.images.shape[:2]
        losses = []
        # One class, if blocks are `blocks_of_gradients`.
        for index in range(num_classes):
            labels = tf.fill([count], synthetic.labels[index])
            images = synthetic.images[index]
            with differentiated(2):
                made = self._gradients.of(work.weights, images, 1.0 / count, labels)
            wanted = [tf.stop_gradient(gradient[index]) for gradient in real]
            losses.append(total_distance(self._distance, wanted, made))
        return tf.stack(losses)

    def empty_summary(self, num_classes: int) -> list[tf.Tensor]:
        """Returns gradients of zeros, `[num_classes, ...]`."""
        return [
            tf.zeros([num_classes, *spec.shape]) for spec in self._gradients.signature
        ]
