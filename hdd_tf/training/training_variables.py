"""What a training is to others; its state as variables and as arrays to resume from."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.protocols.optimisers import Shapes

# Value of `updates` while the other variables are inconsistent, because they are being
# written.
_UNSETTLED = -1


class TrainingState(NamedTuple):
    """The state of a training that was interrupted or has ended.

    Attributes:
        updates: Number of updates made.
        weights: Weights of the network, in the order of its `weight_shapes`.
        slots: Slots of the optimiser; SGD has one velocity a weight.
        state: State of the network (see `FunctionalNetwork`), in the order of its
            `state_specs`; empty for a network without state.
    """

    updates: int
    weights: list[np.ndarray]
    slots: list[np.ndarray]
    state: list[np.ndarray]


class Training(Protocol):
    """What a buffer asks of whoever trains its networks, see `NetworkTrainer`."""

    @property
    def weights(self) -> list[tf.Variable]:
        """The network's weights."""

    @property
    def updates_per_epoch(self) -> int:
        """Number of updates of an epoch."""

    def train(
        self,
        key: tf.Tensor,
        on_epochs: Callable[[int], object] = ...,
        resume: TrainingState | None = ...,
        on_call: Callable[[], None] = ...,
    ) -> object:
        """Trains a fresh network, or goes on with one."""

    def snapshot(self) -> TrainingState | None:
        """Returns the consistent state of the training; None before its start."""


class OwnTraining(NamedTuple):
    """A training by another loss than that of a classifier.

    Attributes:
        kind: What identifies it beside the settings of a buffer, for `kind.json`.
        start: Function that returns the training; called if a network is missing.
        remedy: What to do about a network that diverged.
    """

    kind: Mapping[str, Any]
    start: Callable[[], Training]
    remedy: str


class TrainingVariables:
    """Weights, optimiser slots and state of one network in training.

    Args:
        network: The network, a function of its weights.
        slot_shapes: Function from the shapes of the weights to the shapes of the
            optimiser's slots.

    Attributes:
        weights: Weights of the network, in the order of its `weight_shapes`.
        slots: Slots of the optimiser, in the order of `slot_shapes`.
        state: State of the network, such as batch norm's moving statistics, in the
            order of its `state_specs`.
        updates: Number of updates made. The graph itself writes this number, so that it
            always agrees with the weights.
    """

    def __init__(
        self,
        network: FunctionalNetwork,
        slot_shapes: Callable[[Shapes], Shapes],
    ) -> None:
        shapes = network.weight_shapes
        self.weights = [tf.Variable(tf.zeros(shape)) for shape in shapes]
        self.slots = [tf.Variable(tf.zeros(shape)) for shape in slot_shapes(shapes)]
        self.state = [
            tf.Variable(tf.zeros(spec.shape, spec.dtype), trainable=False)
            for spec in network.state_specs
        ]
        self.updates = tf.Variable(_UNSETTLED, trainable=False)
        self._network = network

    def begin(self, key: tf.Tensor) -> None:
        """Starts the training of a fresh network.

        Args:
            key: `[2]` int32 key of its initial weights.
        """
        # The present values belong to another training, so this comes before any draw.
        self.updates.assign(_UNSETTLED)
        weights, state = self._network.initial_variables(key)
        slots = [tf.zeros_like(slot) for slot in self.slots]
        self.resume(TrainingState(0, weights, slots, state))

    def resume(self, start: TrainingState) -> None:
        """Sets all variables to the state of an earlier training.

        Args:
            start: State of the earlier training.
        """
        self.updates.assign(_UNSETTLED)
        for variables, values in (
            (self.weights, start.weights),
            (self.slots, start.slots),
            (self.state, start.state),
        ):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        self.updates.assign(start.updates)

    def clear_slots(self) -> None:
        """Sets all slots to zero, so that the optimiser starts afresh."""
        for slot in self.slots:
            slot.assign(tf.zeros_like(slot))

    def snapshot(self) -> TrainingState | None:
        """Returns the state of the training; None before its start.

        The state is consistent even after an exception between the writes of two
        variables: it is None then.
        """
        updates = int(self.updates)
        if updates == _UNSETTLED:
            return None
        return TrainingState(
            updates,
            *(
                [variable.numpy() for variable in variables]
                for variables in (self.weights, self.slots, self.state)
            ),
        )
