"""The first block of a network in one pass, compiled by XLA on CPUs.

In float32, for images whose features alone are asked for, as those of real images are.
Taps are added in turn, and each sum rounded once. Those are the bits of TensorFlow's
operations with AVX512; with AVX2 alone its product adds a few rows in another order,
which rows depends on its threads, and last bits differ. Gradients are right, but slow,
and not these bits.
"""

import functools
import itertools

import tensorflow as tf

from hdd_tf.networks.layers.compiled_pools import average, compiled

# Each channel of a pixel is written out, so that more take long to compile.
_MOST_CHANNELS = 4


def is_of_few_channels(shape: tf.TensorShape) -> bool:
    """Returns whether images have few enough channels to be compiled here."""
    return shape[-1] <= _MOST_CHANNELS


def convolved_relu_pool(padded: tf.Tensor, kernels: tf.Tensor) -> tf.Tensor:
    """Returns a 3x3 convolution of few channels, ReLU, and 2x2 average pooling.

    The map in between, many times the size of the images, is never written.

    Args:
        padded: `[n, h + 2, w + 2, c]` float32 images that are `is_of_few_channels`; h
            and w are known and even.
        kernels: `[n, 9 c + 1, width]` float32, each image's own: rows, then columns,
            then channels, then the shift.

    Returns:
        `[n, h / 2, w / 2, width]` float32 tensor.
    """
    return compiled(_convolved_relu_pool)(padded, kernels)


def _convolved_relu_pool(padded: tf.Tensor, kernels: tf.Tensor) -> tf.Tensor:
    *factors, shift = tf.unstack(kernels[:, None, None], axis=3)
    pixels = _windows(padded)

    def convolved(row: int, column: int) -> tf.Tensor:
        taps = itertools.product(
            range(row, row + 3), range(column, column + 3), range(padded.shape[-1])
        )
        terms = (
            pixels[tap] * factor for tap, factor in zip(taps, factors, strict=True)
        )
        # oneDNN adds a product to what is before it and rounds once. XLA does so too,
        # to the first product of a sum: so the new one stands first.
        return functools.reduce(lambda values, term: term + values, terms) + shift

    return average([tf.nn.relu(convolved(i, j)) for i in range(2) for j in range(2)])


def _windows(padded: tf.Tensor) -> dict[tuple[int, int, int], tf.Tensor]:
    """Returns what the windows have that pooled pixels come from, 4x4 pixels each.

    Returns:
        `[n, h / 2, w / 2, 1]` tensors by the row and column in a window, and the
        channel.
    """
    _, height, width, channels = padded.shape
    rows, columns = height // 2, width // 2
    halves = tf.reshape(padded, [-1, rows, 2, columns, 2, channels])
    pixels = {}
    for below, right in itertools.product(range(2), repeat=2):
        corner = halves[:, below : below + rows - 1, :, right : right + columns - 1]
        for row, line in enumerate(tf.unstack(corner, axis=2)):
            for column, pixel in enumerate(tf.unstack(line, axis=3)):
                for channel, values in enumerate(tf.split(pixel, channels, axis=-1)):
                    pixels[2 * below + row, 2 * right + column, channel] = values
    return pixels
