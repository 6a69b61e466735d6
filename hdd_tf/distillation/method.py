"""The interface of a method to the rest of the program: it makes a distilled set.

Methods with iterations change a synthetic set in the graph (`IterativeMethod`): class
by class (classwise.py), or as a whole. Selections and generators have no iterations,
only a result. The traits of a method record its kind (methods/traits.py).
"""

import abc
import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.distillation.synthetic_set import SyntheticSet
from hdd_tf.distributed.spread_variable import SpreadVariable

# Metrics of an iteration: `loss_per_class` `[C]` and `gradient_norm` `[]`, float32. A
# value that is not finite ends the run as diverged, so a method that skips such an
# update returns zeros.
Metrics = dict[str, tf.Tensor]


class Phase(NamedTuple):
    """A range of iterations that run in the same graph.

    Attributes:
        number: Number of the graph.
        end: First later iteration that may run in another graph; None if there is none.
    """

    number: int
    end: int | None = None


@dataclasses.dataclass(frozen=True)
class Work:
    """A part of a run.

    Attributes:
        name: What it is.
        count: How much there is of it, in words.
        seconds: How long it takes.
    """

    name: str
    count: str
    seconds: float


class Method(abc.ABC):
    """A way of making a distilled set.

    The order of calls is `__init__`, `train_ahead`, then for methods with iterations
    `assemble` and many `iterate`, then `result`. A method checks settings and data in
    `__init__`, before anything is trained or written.

    Attributes:
        coresets: Selector of coresets whose trained network the baselines of a run can
            share, or None.
    """

    coresets: Any = None

    def train_ahead(self) -> None:
        """Trains missing networks on the real images that the method needs.

        The trained networks are stored under their configuration and shared between
        runs. A stopped training resumes. If several processes share the run, one of
        them trains for all. By default there is nothing to train.

        Raises:
            InputError: a stored network cannot be used.
            InterruptedRunError: a signal stopped the training, which is saved.
        """
        return None

    def stages(self) -> list[Work]:
        """Returns the cost of all but iterations, for a dry run; steps are measured.

        It is called after `train_ahead`, and networks that train there are not counted.
        By default there is little else.
        """
        return []

    @abc.abstractmethod
    def result(self, metadata: Mapping[str, Any]) -> DistilledSet:
        """Returns the set in its present state.

        Args:
            metadata: Metadata of the run's sets, to which the method adds its own.
        """


class IterativeMethod(Method):
    """A method that changes a synthetic set, iteration by iteration, in the graph.

    Attributes:
        synthetic_set: The synthetic set; available after `assemble`.
        dry_run_share: Share of a usual iteration that an iteration of a dry run
            computes, in (0, 1]. Less than 1 for iterations that take minutes.
    """

    synthetic_set: SyntheticSet
    dry_run_share: float = 1.0

    def phase_of(self, iteration: int) -> Phase:
        """Returns the phase of an iteration.

        The graph of a phase is traced once, at its first iteration. By default there is
        one phase.

        Args:
            iteration: Number of the iteration, >= 0.
        """
        del iteration
        return Phase(0)

    def kind_of(self, iteration: int) -> Hashable:
        """Returns a value that is the same for iterations of about the same cost.

        Args:
            iteration: Number of the iteration, >= 0.
        """
        return self.phase_of(iteration).number

    @abc.abstractmethod
    def assemble(self) -> None:
        """Makes the variables; all processes of a run call it together."""

    @abc.abstractmethod
    def state(self) -> Mapping[str, Any]:
        """Returns all objects that iterations change, for checkpoints.

        Returns:
            Trackable objects by name, including `synthetic_set`.
        """

    @abc.abstractmethod
    def iterate(self, iteration: tf.Tensor, phase: int) -> Metrics:
        """Computes one iteration, in the graph and outside `strategy.run`.

        All random numbers depend on the seed and `iteration` alone.

        Args:
            iteration: Number of the iteration, scalar int32 tensor.
            phase: Number of the iteration's phase, a constant of the graph.

        Returns:
            `loss_per_class` `[C]` and `gradient_norm` `[]`, float32.
        """

    def check_reads(self, start: int, count: int) -> None:
        """Checks the files that iterations are about to read; called before each call.

        By default iterations read none.

        Args:
            start: Number of the first iteration.
            count: Number of iterations.

        Raises:
            InputError: one is missing or damaged; nothing has changed.
        """
        return None

    @abc.abstractmethod
    def finite_classes(self) -> tf.Tensor:
        """Returns `[C]` bool, True for classes whose learnt state is finite.

        That state is the class's part of the set and of the state of its optimisers.
        """

    def facts(self) -> dict[str, tf.Tensor]:
        """Returns what is to be known of the state after a call into the graph.

        Returns:
            `finite_images`, see `finite_classes`; and if images are spread over
            replicas, `limits` `[2]`, the least and the largest value on the 0-255
            scale.
        """
        return {"finite_images": self.finite_classes()}

    def spread_variables(self) -> Sequence[SpreadVariable]:
        """Returns the variables of `state` of which each replica has its own part.

        By default there are none: every replica has all of the state.
        """
        return ()

    def spread(self) -> None:
        """Gives each replica its own part of `state`, which iterations change there."""
        for variable in self.spread_variables():
            variable.spread()

    def gather(self) -> None:
        """Gathers in `state` what replicas have; all processes must call it."""
        for variable in self.spread_variables():
            variable.gather()

    @property
    def is_whole(self) -> bool:
        """True if `state` and the synthetic set are as the last iteration left them."""
        return all(variable.is_whole for variable in self.spread_variables())

    @property
    def gathered_bytes(self) -> int:
        """Bytes that `gather` gathers; 0 if every replica has all of the state."""
        wholes = [variable.whole for variable in self.spread_variables()]
        return sum(w.shape.num_elements() * w.dtype.size for w in wholes)

    def remedy(self) -> str:
        """Says what to change where iterations have diverged, as sentences."""
        return (
            "Give a lower --image_lr or --loss_weight (hyperbolic: or "
            "--max_tangent_norm=10, or a --curvature closer to 0)."
        )

    def notice(self) -> str:
        """Returns a line for the user about the iterations since the last call.

        The chief asks after each call into the graph. By default there is nothing to
        tell, an empty line.
        """
        return ""

    @property
    def state_bytes(self) -> int:
        """Approximate number of bytes of a checkpoint."""
        state = tf.train.Checkpoint(**self.state())
        objects = tf.train.TrackableView(state).descendants()
        variables = [item for item in objects if isinstance(item, tf.Variable)]
        return sum(v.shape.num_elements() * v.dtype.size for v in variables)

    def result(self, metadata: Mapping[str, Any]) -> DistilledSet:
        """Returns the synthetic set in its present state.

        Args:
            metadata: Metadata of the run's sets.
        """
        return self.synthetic_set.distilled(metadata)
