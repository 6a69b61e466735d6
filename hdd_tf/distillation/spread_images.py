"""Images that are updated on the devices that match them.

Each replica holds the images and velocities of its own classes and updates them. Only
losses travel in an iteration; whoever needs the images of all classes gathers them.
"""

from typing import Any

import tensorflow as tf

from hdd_tf.distillation.class_matching import ClassMatching
from hdd_tf.distillation.image_sgd import ImageSGD
from hdd_tf.distributed.replica_sums import sum_over_replicas
from hdd_tf.distributed.spread_variable import SpreadVariable


class SpreadImages:
    """Updates of images that are spread over replicas; call all outside `strategy.run`.

    Args:
        matching: Computation of a replica, of a set that is spread.
        image_sgd: Optimiser of the set's images, spread likewise.
        strategy: Strategy of the replicas.

    Attributes:
        variables: The images and the velocities, as they are spread.

    Raises:
        ValueError: every replica has all images.
    """

    def __init__(
        self,
        matching: ClassMatching,
        image_sgd: ImageSGD,
        strategy: tf.distribute.Strategy,
    ) -> None:
        images, velocity = matching.synthetic_set.spread, image_sgd.spread_velocity
        if images is None or velocity is None:
            raise ValueError("every replica has all images.")
        self.variables: tuple[SpreadVariable, ...] = (images, velocity)
        self._matching = matching
        self._image_sgd = image_sgd
        self._images = images
        self._strategy = strategy

    def update(
        self, iteration: tf.Tensor, pass_index: int, revisit: bool
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor], list[tf.Tensor]]:
        """Computes one pass over all classes, in which each replica updates its images.

        Args:
            iteration: Number of the iteration, scalar int32 tensor.
            pass_index: Number of the pass.
            revisit: See `ClassMatching.match`.

        Returns:
            The losses `[C]`, the sum of the squared gradients of each class `[C]`,
            `Matched.real` and `Matched.facts`.
        """
        place = self._images.shares.place

        def of_replica(iteration: tf.Tensor) -> tuple[Any, ...]:
            self._image_sgd.before_gradient()
            matched = self._matching.match(iteration, pass_index, revisit)
            self._image_sgd.apply(matched.gradient)
            axes = list(range(1, matched.gradient.shape.rank))
            squares = tf.reduce_sum(matched.gradient**2, axes)
            told = tf.stack([matched.loss, place(squares)])
            return told, matched.real, matched.facts

        parts = self._strategy.run(of_replica, (iteration,))
        told, real, facts = sum_over_replicas(self._strategy, parts)
        return told[0], told[1], real, facts

    def facts(self) -> dict[str, tf.Tensor]:
        """Returns `finite_images` and `limits`; see `IterativeMethod.facts`."""

        def of_replica() -> tf.Tensor:
            finite = tf.cast(self._image_sgd.finite_classes(), tf.float32)
            own = tf.convert_to_tensor(self._images.own)
            shown = self._matching.synthetic_set.shown(own)
            axes = list(range(1, shown.shape.rank))
            least, largest = (f(shown, axes) for f in (tf.reduce_min, tf.reduce_max))
            return self._images.shares.place(tf.stack([finite, least, largest], axis=1))

        parts = self._strategy.run(of_replica)
        finite, least, largest = tf.unstack(
            sum_over_replicas(self._strategy, parts), axis=1
        )
        limits = tf.stack([tf.reduce_min(least), tf.reduce_max(largest)])
        return {"finite_images": finite > 0.0, "limits": limits}
