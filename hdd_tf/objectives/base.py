"""What the distillation step asks of an objective."""

from typing import NamedTuple

import tensorflow as tf


class Pass(NamedTuple):
    """One look at all classes, and what it minimises.

    The loss of a class is the geometry's distance between its real and its synthetic
    features, plus the weighted mean cross-entropy of its synthetic images.

    Attributes:
        weights: Of the network.
        match_features: Whether features are matched; real images are needed only then.
        cross_entropy_weight: Scalar, or None for no cross-entropy at all.
    """

    weights: list[tf.Tensor]
    match_features: bool = True
    cross_entropy_weight: tf.Tensor | float | None = None


class Objective(tf.Module):
    """Says through which network an iteration looks, and what it minimises.

    The step (distillation/step.py) owns everything else: batches, augmentation, the
    geometry's loss, gradients and the update. What an objective keeps in variables is
    saved with the run.

    Attributes:
        num_passes: Passes, each with an update of the images, in an iteration.
    """

    num_passes = 1

    def prepare(self, iteration: tf.Tensor) -> None:
        """Brings the objective's own state to an iteration, before its passes.

        Called outside `strategy.run`; by default there is nothing to do.

        Args:
            iteration: Scalar int32 tensor.
        """
        del iteration

    def pass_of(self, iteration: tf.Tensor, index: int) -> Pass:
        """Returns a pass of an iteration.

        Called on every replica, and must return the same there: a function of the run's
        seed, `iteration` and the objective's state.

        Args:
            iteration: Scalar int32 tensor.
            index: Which of the `num_passes`.
        """
        raise NotImplementedError

    def conclude(self, iteration: tf.Tensor) -> None:
        """Changes the objective's own state after the passes, as `prepare` before.

        Args:
            iteration: Scalar int32 tensor.
        """
        del iteration
