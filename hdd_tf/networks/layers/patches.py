"""The 3x3 patches that the first block of a network multiplies."""

import tensorflow as tf

from hdd_tf.networks.layers.own_gradients import neighbours


def centred(images: tf.Tensor, padding: int) -> tf.Tensor:
    """Returns padded images minus the mean colour.

    Subtracting the same colour from every tap (padding included) adds one constant to
    the map's channel, which the normalisation removes. Without the subtraction the
    variance of nearly flat images would cancel.

    Args:
        images: `[n, h, w, c]` float tensor.
        padding: Rows and columns of zeros around an image, >= 0.

    Returns:
        `[n, h + 2 padding, w + 2 padding, c]` tensor.
    """
    colour = tf.reduce_mean(images, axis=[1, 2], keepdims=True)
    rows = [padding, padding]
    return tf.pad(images, [[0, 0], rows, rows, [0, 0]]) - colour


def patches_of(padded: tf.Tensor) -> tf.Tensor:
    """Returns `[n, h * w, 9 c + 1]` patches; the last value of each is 1.

    Args:
        padded: `[n, h + 2, w + 2, c]` float tensor of finite numbers.
    """
    patches = neighbours(padded)
    _, height, width, taps = patches.shape
    return tf.reshape(patches, [-1, height * width, taps])
