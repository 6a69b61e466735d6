"""The optimiser of the published protocols: SGD with momentum and L2 weight decay."""

import tensorflow as tf

from hdd_tf.networks.functional import FunctionalNetwork


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


def classification_step(
    network: FunctionalNetwork,
    weights: list[tf.Tensor],
    velocities: list[tf.Tensor],
    images: tf.Tensor,
    labels: tf.Tensor,
    learning_rate: float,
    momentum: float,
    weight_decay: float,
) -> tuple[list[tf.Tensor], list[tf.Tensor], tf.Tensor]:
    """Computes one update of a whole network on one batch, by cross-entropy.

    Args:
        network: The network.
        weights: Of the network.
        velocities: One a weight.
        images: `[n, h, w, c]` normalised images.
        labels: `[n]` int32.
        learning_rate: As in `sgd_step`.
        momentum: As in `sgd_step`.
        weight_decay: As in `sgd_step`.

    Returns:
        New weights, new velocities, and the `[n, C]` logits before the update.
    """
    with tf.GradientTape() as tape:
        tape.watch(weights)
        logits = network.logits(weights, images)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        loss = tf.reduce_mean(losses)
    updated = [
        sgd_step(weight, velocity, gradient, learning_rate, momentum, weight_decay)
        for weight, velocity, gradient in zip(
            weights, velocities, tape.gradient(loss, weights), strict=True
        )
    ]
    return [new for new, _ in updated], [new for _, new in updated], logits
