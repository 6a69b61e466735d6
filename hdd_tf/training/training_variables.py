"""What changes while a network trains, as variables, and as arrays to go on from."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.protocols.optimisers import Shapes

# While variables are being written they belong to no training.
_UNSETTLED = -1


class TrainingState(NamedTuple):
    """A training that has been interrupted, or has ended.

    Attributes:
        updates: How many it has made.
        weights: Of the network.
        slots: Of the optimiser; SGD has one velocity a weight.
        state: Of the network (see `FunctionalNetwork`), where it has any.
    """

    updates: int
    weights: list[np.ndarray]
    slots: list[np.ndarray]
    state: list[np.ndarray]


class TrainingVariables:
    """Weights, optimiser slots and state of one network in training.

    Args:
        network: The network, a function of its weights.
        slot_shapes: From shapes of weights to those of the optimiser's slots.

    Attributes:
        weights: In the order of the network's `weight_shapes`.
        slots: What the optimiser remembers, in the order of its `slot_shapes`.
        state: What changes without a gradient, such as batch norm's moving statistics,
            in the order of `state_specs`.
        updates: Number of updates made; written by the graph itself, so that it always
            agrees with the weights.
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
        """Starts a fresh network.

        Args:
            key: `[2]` seed of its weights.
        """
        # Before anything is drawn: what is here belongs to another training.
        self.updates.assign(_UNSETTLED)
        weights, state = self._network.initial_variables(key)
        slots = [tf.zeros_like(slot) for slot in self.slots]
        self.resume(TrainingState(0, weights, slots, state))

    def resume(self, start: TrainingState) -> None:
        """Goes on from where a training was."""
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
        """Makes the optimiser start afresh."""
        for slot in self.slots:
            slot.assign(tf.zeros_like(slot))

    def snapshot(self) -> TrainingState | None:
        """Returns where the training is; None where it has not begun.

        Whole also after an exception, which may come between two variables' writes.
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
