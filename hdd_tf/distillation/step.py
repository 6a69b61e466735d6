"""Iterations of a method, several in one call into the graph."""

import functools
from typing import Any

import tensorflow as tf

from hdd_tf.distillation.method import IterativeMethod


class DistillationStep:
    """Runs the iterations of any method.

    Args:
        method: The method, after `assemble`.
        gathers: True if the method's state is whole after each `run`; False if the
            caller gathers it when somebody needs it.

    Attributes:
        method: The method.
    """

    def __init__(self, method: IterativeMethod, gathers: bool = True) -> None:
        self.method = method
        self._gathers = gathers
        # Number of a phase -> its graph, made when it is first needed.
        self._graphs: dict[int, Any] = {}

    def run(self, start: int, count: int) -> dict[str, tf.Tensor]:
        """Runs the iterations `start`, ..., `start + count - 1`.

        Args:
            start: Number of iterations done before, which selects the random numbers.
            count: Number of iterations, >= 1.

        Returns:
            `loss_per_class` `[count, C]` float32, `gradient_norm` `[count]` float32,
            and `finite_images` `[C]` bool. The loss is a sum over the passes of an
            iteration, and the norm is that of all their gradients. `finite_images` is
            True for a class whose learnt variables and optimiser state are finite after
            the last iteration. Methods can add more; see `IterativeMethod.facts`.

        Raises:
            InputError: a file that the iterations read is missing or damaged; nothing
                has changed.
        """
        self.method.check_reads(start, count)
        self.method.spread()
        parts, stop = [], start + count
        while start < stop:
            number, end = self.method.phase_of(start)
            within = stop - start if end is None else min(stop, end) - start
            graph = self._graph(number)
            parts.append(graph(tf.constant(start), tf.constant(within)))
            start += within
        if self._gathers:
            self.method.gather()
        if len(parts) == 1:
            return parts[0]
        both = ("loss_per_class", "gradient_norm")
        joined = {n: tf.concat([part[n] for part in parts], 0) for n in both}
        return parts[-1] | joined

    @property
    def trace_count(self) -> int:
        """Largest number of traces of a graph; more than one would be a bug."""
        graphs = self._graphs.values()
        return max(graph.experimental_get_tracing_count() for graph in graphs)

    def _graph(self, phase: int) -> Any:
        """Returns the graph of a phase, traced once because its arguments are scalars.

        Args:
            phase: Number of the phase.
        """
        if phase not in self._graphs:
            self._graphs[phase] = tf.function(
                functools.partial(self._iterate, phase=phase),
                input_signature=[tf.TensorSpec([], tf.int32)] * 2,
            )
        return self._graphs[phase]

    def _iterate(
        self, start: tf.Tensor, count: tf.Tensor, phase: int
    ) -> dict[str, tf.Tensor]:
        num_classes = self.method.synthetic_set.images.shape[0]
        # A method's loops are TensorFlow's own. To look for others in all its source
        # would take a large part of the time of tracing.
        as_it_is = tf.autograph.experimental.do_not_convert
        iterate, facts = as_it_is(self.method.iterate), as_it_is(self.method.facts)
        losses = tf.TensorArray(tf.float32, size=count, element_shape=[num_classes])
        norms = tf.TensorArray(tf.float32, size=count, element_shape=[])
        # Replicas only compute. Variables are written outside `strategy.run`, to all
        # copies at once.
        for index in tf.range(count):
            metrics = iterate(start + index, phase)
            losses = losses.write(index, metrics["loss_per_class"])
            norms = norms.write(index, metrics["gradient_norm"])
        return {
            "loss_per_class": losses.stack(),
            "gradient_norm": norms.stack(),
            **facts(),
        }
