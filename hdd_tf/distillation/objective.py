"""The objective of class-wise matching: the network's weights of each pass."""

from collections.abc import Hashable
from typing import Any, NamedTuple

import tensorflow as tf

from hdd_tf.distillation.synthetic_set import SyntheticSet


class Pass(NamedTuple):
    """One pass over all classes, and the loss that it minimises.

    The loss of a class is the comparison of its real and its synthetic images, plus the
    weighted mean cross-entropy of its synthetic images.

    Attributes:
        weights: Weights of the network, tensors of its `weight_shapes`.
        compare: True if real and synthetic images are compared. A pass without
            comparison needs no real images.
        cross_entropy_weight: Weight of the cross-entropy, a scalar; None for no
            cross-entropy.
        more: Any structure of tensors that the comparison needs of the objective, such
            as another network's weights, the iteration, or state of the objective.
    """

    weights: list[tf.Tensor]
    compare: bool = True
    cross_entropy_weight: tf.Tensor | float | None = None
    more: Any = None


class Objective(tf.Module):
    """Chooses the network's weights of each pass of an iteration.

    The comparison (comparison.py) compares images in that network. The method
    (classwise.py) does all else: batches, augmentation, gradients and the update. The
    variables of an objective are saved with the run.

    Attributes:
        num_passes: Number of passes of an iteration, each with an update of the images.
    """

    num_passes = 1

    @property
    def needs_whole_set(self) -> bool:
        """True if an iteration needs the synthetic images of all classes together.

        If not, each device has the images of its own classes only, and reads them by
        `SyntheticSet.reader`. An objective that takes the set by `attach` is thought to
        need all of it, unless it says otherwise.
        """
        return type(self).attach is not Objective.attach

    def train_ahead(self) -> None:
        """Trains the objective's networks on the real images, before iteration 0.

        If several processes share the run, one of them trains, and the others read the
        stored networks. By default there is nothing to train.

        Raises:
            InputError: a stored network cannot be used.
            InterruptedRunError: a signal stopped the training, which is saved.
        """
        return None

    def attach(self, synthetic_set: SyntheticSet) -> None:
        """Receives the set whose images are matched, before anything is traced.

        Objectives whose networks train on the set override this method.

        Args:
            synthetic_set: The synthetic set.
        """
        del synthetic_set

    def prepare(self, iteration: tf.Tensor) -> None:
        """Updates the objective's own state before the passes of an iteration.

        The method calls it outside `strategy.run`. By default there is nothing to do.

        Args:
            iteration: Number of the iteration, scalar int32 tensor.
        """
        del iteration

    def kind_of(self, iteration: int) -> Hashable:
        """Returns what the cost of an iteration depends on; by default nothing.

        Args:
            iteration: Number of the iteration, >= 0.
        """
        del iteration
        return None

    def pass_of(self, iteration: tf.Tensor, pass_index: int) -> Pass:
        """Returns a pass of an iteration.

        Every replica calls this method, and must get the same pass: a function of the
        run's seed, `iteration` and the objective's state.

        Args:
            iteration: Number of the iteration, scalar int32 tensor.
            pass_index: Number of the pass, in [0, `num_passes`).
        """
        raise NotImplementedError

    def conclude(self, iteration: tf.Tensor) -> None:
        """Updates the objective's own state after the passes of an iteration.

        The method calls it outside `strategy.run`. By default there is nothing to do.

        Args:
            iteration: Number of the iteration, scalar int32 tensor.
        """
        del iteration
