"""The optimisers of training, as functions of weights and slots.

A slot is a part of an optimiser's state, zero at its start: SGD's velocities, AdamW's
moments and number of updates.
"""

import abc
from collections.abc import Sequence

import tensorflow as tf

from hdd_tf.protocols.adam import adam_step
from hdd_tf.protocols.sgd import sgd_step
from hdd_tf.protocols.training_protocol import TrainingProtocol

Shapes = Sequence[tuple[int, ...]]


class Optimiser(abc.ABC):
    """Updates all weights of a network.

    Args:
        protocol: Training protocol, of which `weight_decay`, `decay_kernels_only` and
            the fields of the optimiser are used.
    """

    def __init__(self, protocol: TrainingProtocol) -> None:
        self._protocol = protocol

    @staticmethod
    @abc.abstractmethod
    def slot_shapes(weight_shapes: Shapes) -> list[tuple[int, ...]]:
        """Returns the shapes of all slots, which are float32."""

    @abc.abstractmethod
    def update(
        self,
        weights: Sequence[tf.Variable],
        slots: Sequence[tf.Variable],
        gradients: Sequence[tf.Tensor],
        rate: tf.Tensor,
    ) -> None:
        """Makes one update.

        Args:
            weights: Weights of the network, which the update changes.
            slots: Variables of `slot_shapes`, which the update changes.
            gradients: Gradients of the weights, one a weight.
            rate: Learning rate, scalar float32.
        """

    def _decay(self, weight: tf.Variable) -> float:
        if self._protocol.decay_kernels_only and len(weight.shape) < 2:
            return 0.0
        return self._protocol.weight_decay


class SGD(Optimiser):
    """SGD with momentum and L2 weight decay, see `sgd.sgd_step`."""

    @staticmethod
    def slot_shapes(weight_shapes: Shapes) -> list[tuple[int, ...]]:
        """Returns one velocity a weight."""
        return list(weight_shapes)

    def update(
        self,
        weights: Sequence[tf.Variable],
        slots: Sequence[tf.Variable],
        gradients: Sequence[tf.Tensor],
        rate: tf.Tensor,
    ) -> None:
        """Makes one update; the slots are velocities."""
        for weight, velocity, gradient in zip(weights, slots, gradients, strict=True):
            new_weight, new_velocity = sgd_step(
                weight, velocity, gradient, rate, self._protocol.momentum,
                self._decay(weight),
            )  # fmt: skip
            weight.assign(new_weight)
            velocity.assign(new_velocity)


class AdamW(Optimiser):
    """Adam, see `adam.adam_step`, with decoupled weight decay.

        w <- (1 - rate decay) w, before Adam's update

    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019,
    as the framework of the published programs computes it.
    """

    @staticmethod
    def slot_shapes(weight_shapes: Shapes) -> list[tuple[int, ...]]:
        """Returns first moments, second moments, and the number of updates."""
        return [*weight_shapes, *weight_shapes, ()]

    def update(
        self,
        weights: Sequence[tf.Variable],
        slots: Sequence[tf.Variable],
        gradients: Sequence[tf.Tensor],
        rate: tf.Tensor,
    ) -> None:
        """Makes one update; the slots are moments and the number of updates."""
        count = slots[-1].assign_add(1.0)
        firsts, seconds = slots[: len(weights)], slots[len(weights) : -1]
        for weight, first, second, gradient in zip(
            weights, firsts, seconds, gradients, strict=True
        ):
            kept = (1.0 - rate * self._decay(weight)) * weight
            moved = adam_step(
                kept, first, second, gradient, rate, self._protocol.betas, count
            )
            for variable, value in zip((weight, first, second), moved, strict=True):
                variable.assign(value)


OPTIMISERS: dict[str, type[Optimiser]] = {"sgd": SGD, "adamw": AdamW}


def optimiser_of(protocol: TrainingProtocol) -> Optimiser:
    """Returns the optimiser that a protocol names."""
    return OPTIMISERS[protocol.optimiser](protocol)
