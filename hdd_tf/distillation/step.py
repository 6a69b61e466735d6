"""Iterations of a method, several of them in one call into the graph."""

import functools

import tensorflow as tf

from hdd_tf.distillation.method import IterativeMethod


class DistillationStep:
    """Runs the iterations of any method.

    Args:
        method: What an iteration does; assembled.

    Attributes:
        method: As given.
    """

    def __init__(self, method: IterativeMethod) -> None:
        self.method = method
        # Each traced once, when it is first needed: the arguments are scalar tensors of
        # one dtype.
        self._graphs = [
            tf.function(
                functools.partial(self._iterate, phase=phase),
                input_signature=[tf.TensorSpec([], tf.int32)] * 2,
            )
            for phase in range(len(method.phase_starts) + 1)
        ]

    def run(self, start: int, count: int) -> dict[str, tf.Tensor]:
        """Runs the iterations `start`, ..., `start + count - 1`.

        Args:
            start: Number of iterations done before; selects the random numbers.
            count: Number of iterations, >= 1.

        Returns:
            `loss_per_class` `[count, C]` and `gradient_norm` `[count]`, float32, sums
            over the passes of an iteration; `finite_images` `[C]` bool, whether all
            that is learnt of a class, and its optimisers' state, are finite after the
            last iteration.
        """
        starts = self.method.phase_starts
        phase = sum(first <= start for first in starts)
        within = count
        if phase < len(starts):
            within = min(count, starts[phase] - start)
        done = self._graphs[phase](tf.constant(start), tf.constant(within))
        if within == count:
            return done
        rest = self.run(start + within, count - within)
        both = ("loss_per_class", "gradient_norm")
        return rest | {name: tf.concat([done[name], rest[name]], 0) for name in both}

    @property
    def trace_count(self) -> int:
        """How often a graph was traced, at most; more than once would be a bug."""
        return max(graph.experimental_get_tracing_count() for graph in self._graphs)

    def _iterate(
        self, start: tf.Tensor, count: tf.Tensor, phase: int
    ) -> dict[str, tf.Tensor]:
        num_classes = self.method.synthetic_set.images.shape[0]
        losses = tf.TensorArray(tf.float32, size=count, element_shape=[num_classes])
        norms = tf.TensorArray(tf.float32, size=count, element_shape=[])
        # Replicas only compute; what is written, is written outside `strategy.run`,
        # to all copies at once.
        for index in tf.range(count):
            metrics = self.method.iterate(start + index, phase)
            losses = losses.write(index, metrics["loss_per_class"])
            norms = norms.write(index, metrics["gradient_norm"])
        return {
            "loss_per_class": losses.stack(),
            "gradient_norm": norms.stack(),
            "finite_images": self.method.finite_classes(),
        }
