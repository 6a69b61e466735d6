"""The optimiser of the published protocols: SGD with momentum and L2 weight decay."""

import tensorflow as tf

from hdd_tf.distributed.compilation import differentiated
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

    Keras' `SGD` differs in two places, and both change published results. Its
    `weight_decay` is decoupled from the momentum (about ten times weaker at momentum
    0.9). Its velocity contains the learning rate, so the old rate persists after a
    drop.

    Args:
        weight: Weight of any shape.
        velocity: Velocity of `weight`'s shape, zero at the start.
        gradient: Gradient of `weight`'s shape.
        learning_rate: Learning rate, a positive scalar.
        momentum: Momentum, in [0, 1).
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
    """Computes one update of a network on one batch, with the cross-entropy loss.

    Args:
        network: The network, a function of its weights.
        weights: Weights of the network, tensors of `weight_shapes`.
        velocities: Velocities of the weights, tensors of `weight_shapes`.
        images: `[n, h, w, c]` normalised images.
        labels: `[n]` int32 class numbers.
        learning_rate: Learning rate, positive.
        momentum: Momentum, in [0, 1).
        weight_decay: Factor of the weight in the gradient, >= 0.

    Returns:
        New weights, new velocities, and the `[n, C]` logits before the update.
    """
    with tf.GradientTape() as tape:
        tape.watch(weights)
        with differentiated(1):
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
