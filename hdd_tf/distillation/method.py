"""What every method is to the rest of the program: it makes a distilled set.

Methods with iterations change a synthetic set in the graph (`IterativeMethod`): class
by class (classwise.py), or as a whole. Selections and generators have none; they only
have a result. Which kind a method is, its traits say (methods/traits.py).
"""

import abc
from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.distillation.synthetic_set import SyntheticSet

# What an iteration tells: `loss_per_class` `[C]` and `gradient_norm` `[]`, float32. A
# value that is not finite ends the run as diverged: a method that skips such an update
# tells zeros.
Metrics = dict[str, tf.Tensor]


class Phase(NamedTuple):
    """Which graph an iteration runs in.

    Attributes:
        number: Of the graph; the same number, the same graph.
        end: The iteration, later than this one, from which on it may be another; None:
            never again.
    """

    number: int
    end: int | None = None


class Method(abc.ABC):
    """A way to a distilled set.

    The order of calls is `__init__`, `train_ahead`, for methods with iterations
    `assemble` and many `iterate`, then `result`. What settings and data do not allow is
    refused in `__init__`, before anything is trained or written.

    Attributes:
        coresets: What chooses coresets by a network that baselines beside this method
            can share, or None.
    """

    coresets: Any = None

    def train_ahead(self) -> None:
        """Trains networks on the real images that the method needs, where missing.

        What it trains is kept by its configuration and shared between runs; it resumes
        where it was stopped. Of several processes one does it for all. By default there
        is nothing to train.

        Raises:
            InputError: what is kept cannot be used.
            InterruptedRunError: a signal stopped the training, which is saved.
        """
        return None

    @abc.abstractmethod
    def result(self, metadata: Mapping[str, Any]) -> DistilledSet:
        """Returns the set as it is by now.

        Args:
            metadata: What is known of the run's sets; the method adds what it knows.
        """


class IterativeMethod(Method):
    """A method that changes a synthetic set, iteration by iteration, in the graph.

    Attributes:
        synthetic_set: What it changes; there after `assemble`.
    """

    synthetic_set: SyntheticSet

    def phase_of(self, iteration: int) -> Phase:
        """Returns which graph an iteration runs in, and for how long.

        Each graph is traced once, when its first iteration comes. By default there is
        one for all.

        Args:
            iteration: Its number.
        """
        del iteration
        return Phase(0)

    @abc.abstractmethod
    def assemble(self) -> None:
        """Makes the variables; all processes of a run do it together."""

    @abc.abstractmethod
    def state(self) -> Mapping[str, Any]:
        """Returns all that iterations change, for checkpoints: trackables by name.

        `synthetic_set` is among them.
        """

    @abc.abstractmethod
    def iterate(self, iteration: tf.Tensor, phase: int) -> Metrics:
        """Does one iteration, in the graph and outside `strategy.run`.

        All random numbers are functions of the seed and `iteration`.

        Args:
            iteration: Scalar int32 tensor.
            phase: The number that `phase_of` says, a constant of the graph.
        """

    @abc.abstractmethod
    def finite_classes(self) -> tf.Tensor:
        """Says of which classes the set and its optimisers are finite: `[C]` bool."""

    @property
    def state_bytes(self) -> int:
        """Bytes of a checkpoint, about."""
        state = tf.train.Checkpoint(**self.state())
        objects = tf.train.TrackableView(state).descendants()
        variables = [item for item in objects if isinstance(item, tf.Variable)]
        return sum(v.shape.num_elements() * v.dtype.size for v in variables)

    def result(self, metadata: Mapping[str, Any]) -> DistilledSet:
        """Returns the synthetic set as it is by now."""
        return self.synthetic_set.distilled(metadata)
