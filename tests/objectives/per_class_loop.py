"""The slow, obvious iteration: one optimiser call a class, over all images."""

import tensorflow as tf


def per_class_pass(match, images, velocity, iteration, which, rate, momentum):
    """Runs a pass class by class, as the released programs do; returns its losses.

    Args:
        match: The function `match` of the step's matching, in a graph of its own. It
            takes the loss of every class at the images as they are.
        images: The step's variable.
        velocity: Tensor, likewise.
        iteration: Number of the iteration.
        which: Number of the pass.
        rate: Learning rate.
        momentum: Momentum.
    """
    losses = []
    for label in range(images.shape[0]):
        loss, gradient = match(tf.constant(iteration), which)[:2]
        own = tf.one_hot(label, images.shape[0])[:, None, None, None, None]
        velocity = momentum * velocity + own * gradient
        images.assign(images - rate * velocity)
        losses.append(float(loss[label]))
    return losses, velocity
