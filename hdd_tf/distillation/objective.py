"""Which weights an iteration of class-wise matching looks through."""

from typing import Any, NamedTuple

import tensorflow as tf

from hdd_tf.distillation.synthetic_set import SyntheticSet


class Pass(NamedTuple):
    """One look at all classes, and what it minimises.

    The loss of a class is what the comparison finds between its real and its synthetic
    images, plus the weighted mean cross-entropy of its synthetic images.

    Attributes:
        weights: Of the network.
        compare: Whether real and synthetic images are compared; real ones are needed
            only then.
        cross_entropy_weight: Scalar, or None for no cross-entropy at all.
        more: What else the comparison needs of the objective, such as another network's
            weights, the iteration, or what it remembers; any structure of tensors.
    """

    weights: list[tf.Tensor]
    compare: bool = True
    cross_entropy_weight: tf.Tensor | float | None = None
    more: Any = None


class Objective(tf.Module):
    """Says through which weights an iteration looks.

    What is compared there is the comparison's business (comparison.py). The method
    (classwise.py) owns all else: batches, augmentation, gradients and the update. What
    an objective keeps in variables is saved with the run.

    Attributes:
        num_passes: Passes, each with an update of the images, in an iteration.
    """

    num_passes = 1

    def train_ahead(self) -> None:
        """Trains what has to be trained on the real images before iteration 0.

        Of several processes one does it for all, the others read what it has kept. By
        default there is nothing to train.

        Raises:
            InputError: what is kept cannot be used.
            InterruptedRunError: a signal stopped the training, which is saved.
        """
        return None

    def attach(self, synthetic_set: SyntheticSet) -> None:
        """Takes the set whose images are matched, before anything is traced.

        For objectives whose networks train on it; by default it is not needed.
        """
        del synthetic_set

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
