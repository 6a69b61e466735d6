"""One iteration of distillation, over all classes, in one graph."""

import functools

import tensorflow as tf

from hdd_tf.distillation.class_matching import ClassMatching
from hdd_tf.distillation.image_sgd import ImageSGD


class DistillationStep:
    """Matches real and synthetic images of every class and updates the images.

    Runs under any `tf.distribute` strategy: each replica matches its own classes, and
    the sum of the replicas' gradients updates every copy of the images.

    Args:
        strategy: Strategy under which the images of `matching` and `image_sgd` were
            made.
        matching: What each replica computes of an iteration.
        image_sgd: Optimiser of the images.

    Attributes:
        matching: As given.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        matching: ClassMatching,
        image_sgd: ImageSGD,
    ) -> None:
        self.matching = matching
        self._strategy = strategy
        self._image_sgd = image_sgd
        # Each traced once, when it is first needed: the arguments are scalar tensors of
        # one dtype. That of revisited iterations has no real side at all.
        self._run, self._run_revisiting = (
            tf.function(
                functools.partial(self._iterate, revisit=revisit),
                input_signature=[tf.TensorSpec([], tf.int32)] * 2,
            )
            for revisit in (False, True)
        )

    def run(self, start: int, count: int) -> dict[str, tf.Tensor]:
        """Runs the iterations `start`, ..., `start + count - 1`.

        Args:
            start: Number of iterations done before; selects the random numbers.
            count: Number of iterations, >= 1.

        Returns:
            `loss_per_class` `[count, C]` and `gradient_norm` `[count]`, float32, sums
            over the passes of an iteration; `finite_images` `[C]` bool, whether a
            class's images and their velocity are finite after the last iteration.
        """
        drawn = count
        if self.matching.bank:
            drawn = min(max(self.matching.bank.size - start, 0), count)
        if drawn == count:
            return self._run(tf.constant(start), tf.constant(count))
        if drawn:
            first = self.run(start, drawn)
            last = self.run(start + drawn, count - drawn)
            both = ("loss_per_class", "gradient_norm")
            return last | {n: tf.concat([first[n], last[n]], 0) for n in both}
        return self._run_revisiting(tf.constant(start), tf.constant(count))

    @property
    def trace_count(self) -> int:
        """How often a graph was traced, at most; more than once would be a bug."""
        return max(
            run.experimental_get_tracing_count()
            for run in (self._run, self._run_revisiting)
        )

    def _iterate(
        self, start: tf.Tensor, count: tf.Tensor, revisit: bool
    ) -> dict[str, tf.Tensor]:
        num_classes = self.matching.synthetic_set.images.shape[0]
        losses = tf.TensorArray(tf.float32, size=count, element_shape=[num_classes])
        norms = tf.TensorArray(tf.float32, size=count, element_shape=[])
        # Replicas only compute; what is written, is written outside `strategy.run`,
        # to all copies at once.
        for index in tf.range(count):
            iteration = start + index
            self.matching.objective.prepare(iteration)
            loss, squared_norm = tf.zeros([num_classes]), tf.constant(0.0)
            for which in range(self.matching.objective.num_passes):
                pass_loss, gradient = self._update_images(iteration, which, revisit)
                loss += pass_loss
                squared_norm += tf.reduce_sum(gradient * gradient)
            self.matching.synthetic_set.clip()
            self.matching.objective.conclude(iteration)
            losses = losses.write(index, loss)
            norms = norms.write(index, tf.sqrt(squared_norm))
        return {
            "loss_per_class": losses.stack(),
            "gradient_norm": norms.stack(),
            "finite_images": self._finite_images(),
        }

    def _finite_images(self) -> tf.Tensor:
        """Says of which classes the images can go on: `[C]` bool."""
        state = (self.matching.synthetic_set.images, self._image_sgd.velocity)
        # Images that are clipped stay finite; their velocity does not.
        images, velocity = (tf.math.is_finite(tf.convert_to_tensor(x)) for x in state)
        return tf.reduce_all(images & velocity, axis=[1, 2, 3, 4])

    def _update_images(
        self, iteration: tf.Tensor, which: int, revisit: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Makes one pass over all classes; returns their losses and gradients."""
        self._image_sgd.before_gradient()
        parts = self._strategy.run(self.matching.match, (iteration, which, revisit))
        # A class lives on one replica and is zero on the others: the sums gather.
        matched = tf.nest.map_structure(
            lambda part: self._strategy.reduce("SUM", part, axis=None), parts
        )
        if self.matching.bank and matched.real:
            self.matching.bank.write(self.matching.bank.entry(iteration), matched.real)
        self._image_sgd.apply(matched.gradient)
        return matched.loss, matched.gradient
