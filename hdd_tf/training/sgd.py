"""The optimiser of the published protocols: SGD with momentum and L2 weight decay."""

import tensorflow as tf


def sgd_step(
    weight: tf.Tensor,
    velocity: tf.Tensor,
    gradient: tf.Tensor,
    learning_rate: float | tf.Tensor,
    momentum: float,
    weight_decay: float,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes one update of one weight.

        v <- momentum v + gradient + weight_decay w
        w <- w - learning_rate v

    Keras' `SGD` computes something else in two places, and both change published
    numbers: its `weight_decay` is decoupled from the momentum (about ten times weaker
    at momentum 0.9), and its velocity contains the learning rate, so it goes on with
    the old rate after a drop.

    Args:
        weight: Tensor of any shape.
        velocity: Tensor of `weight`'s shape, zero at the start.
        gradient: Tensor of `weight`'s shape.
        learning_rate: Positive scalar.
        momentum: In [0, 1).
        weight_decay: Factor of the weight in the gradient, >= 0.

    Returns:
        The new weight and the new velocity.
    """
    velocity = momentum * velocity + gradient + weight_decay * weight
    return weight - learning_rate * velocity, velocity
