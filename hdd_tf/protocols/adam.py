"""Adam's update of one variable, with the epsilon of the papers."""

import math

import tensorflow as tf


def adam_step(
    value: tf.Tensor,
    first: tf.Tensor,
    second: tf.Tensor,
    gradient: tf.Tensor,
    rate: float | tf.Tensor,
    betas: tuple[float, float],
    updates: tf.Tensor,
    epsilon: float = 1e-8,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Computes one update.

        m <- b1 m + (1 - b1) g;   v <- b2 v + (1 - b2) g^2
        x <- x - rate (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)

    Keras adds its epsilon, 1e-7, before it corrects the second moment. This changes the
    first updates of values with small gradients.

    Args:
        value: x, of any shape.
        first: First moment m of `value`'s shape, zero at the start.
        second: Second moment v of `value`'s shape, zero at the start.
        gradient: g, of `value`'s shape.
        rate: Learning rate, scalar.
        betas: Decay rates b1 and b2 of both moments, in (0, 1).
        updates: t, number of updates with this one, a float scalar >= 1.
        epsilon: Number added to the root, > 0.

    Returns:
        The new value, and the new moments.
    """
    first_beta, second_beta = betas
    first = first_beta * first + (1.0 - first_beta) * gradient
    second = second_beta * second + (1.0 - second_beta) * gradient**2
    # `expm1`, because float32 would leave 1 - beta^t few digits for small t.
    first_correction = -tf.math.expm1(updates * math.log(first_beta))
    second_correction = -tf.math.expm1(updates * math.log(second_beta))
    root = tf.sqrt(second / second_correction) + epsilon
    return value - rate * (first / first_correction) / root, first, second
