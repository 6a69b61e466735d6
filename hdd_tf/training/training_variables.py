"""What changes while a network trains, as variables, and as arrays to go on from."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hdd_tf.networks.functional import FunctionalNetwork

# While variables are being written they belong to no training.
_UNSETTLED = -1


class TrainingState(NamedTuple):
    """A training that has been interrupted, or has ended.

    Attributes:
        updates: How many it has made.
        weights: Of the network.
        velocities: One a weight.
        state: Of the network (see `FunctionalNetwork`), where it has any.
    """

    updates: int
    weights: list[np.ndarray]
    velocities: list[np.ndarray]
    state: list[np.ndarray]


class TrainingVariables:
    """Weights, velocities and state of one network in training.

    Args:
        network: The network, a function of its weights.

    Attributes:
        weights: In the order of the network's `weight_shapes`.
        velocities: One a weight.
        state: What changes without a gradient, such as batch norm's moving statistics,
            in the order of `state_specs`.
        updates: Number of updates made; written by the graph itself, so that it always
            agrees with the weights.
    """

    def __init__(self, network: FunctionalNetwork) -> None:
        shapes = network.weight_shapes
        self.weights = [tf.Variable(tf.zeros(shape)) for shape in shapes]
        self.velocities = [tf.Variable(tf.zeros(shape)) for shape in shapes]
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
        velocities = [tf.zeros_like(weight) for weight in weights]
        self.resume(TrainingState(0, weights, velocities, state))

    def resume(self, start: TrainingState) -> None:
        """Goes on from where a training was."""
        self.updates.assign(_UNSETTLED)
        for variables, values in (
            (self.weights, start.weights),
            (self.velocities, start.velocities),
            (self.state, start.state),
        ):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        self.updates.assign(start.updates)

    def clear_velocities(self) -> None:
        """Makes the optimiser start afresh."""
        for velocity in self.velocities:
            velocity.assign(tf.zeros_like(velocity))

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
                for variables in (self.weights, self.velocities, self.state)
            ),
        )
