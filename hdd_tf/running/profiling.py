"""`--profile`: records a profile of one call into the graph."""

import os

import tensorflow as tf

from hdd_tf.distillation.method import IterativeMethod
from hdd_tf.distillation.step import DistillationStep
from hdd_tf.files.plain_names import plainly_named

# The first call traces the graph, and may still be choosing among kernels.
_CALLS_BEFORE = 2


class ProfiledStep:
    """A step, one call of which is recorded for TensorBoard's Profile tab.

    Args:
        step: The step to run.
        directory: Directory of the run's event files.
    """

    def __init__(self, step: DistillationStep, directory: str | os.PathLike) -> None:
        self._step = step
        self._directory = directory
        self._calls = 0

    @property
    def method(self) -> IterativeMethod:
        """The method of the step."""
        return self._step.method

    def run(self, start: int, count: int) -> dict[str, tf.Tensor]:
        """Runs the step's `run`, and records the third such call."""
        self._calls += 1
        if self._calls != _CALLS_BEFORE + 1:
            return self._step.run(start, count)
        with (
            plainly_named(self._directory) as directory,
            tf.profiler.experimental.Profile(os.fspath(directory)),
        ):
            metrics = self._step.run(start, count)
            # Waits for all devices: the profile records only work that has finished.
            metrics["gradient_norm"].numpy()
        return metrics
