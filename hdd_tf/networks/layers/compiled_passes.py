"""Passes forward through a block in float32, compiled by XLA on CPUs.

For images whose features alone are asked for, as those of real images are: nothing here
has a gradient. Values are the bits of TensorFlow's operations, since all is summed in
their order and rounded where they round.
"""

import functools
import itertools

import tensorflow as tf

from hdd_tf.networks.layers.compiled_pools import average, compiled
from hdd_tf.networks.layers.instance_norm import instance_moments, inverse_deviation

# TensorFlow sums a map's pixels in turn into four numbers for each channel.
_LANES = 4
# Each pixel of a lane is written out, so that more take long to compile.
_MOST_PIXELS = 256


def map_moments(maps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns what `instance_moments` does, by one pass over the maps where it can be.

    Args:
        maps: `[n, h, w, c]` float32 tensor; all but n is known.

    Returns:
        Mean and `1 / sqrt(variance + epsilon)`, each `[n, 1, 1, c]`.
    """
    if not _sums_in_lanes(maps.shape):
        return instance_moments(maps)
    pixels = maps.shape[1] * maps.shape[2]
    # In one piece with what follows, XLA would sum anew for each lane.
    sums, sums_of_squares = map(_sum_of_lanes, compiled(_lanes)(maps))
    mean, mean_square = sums / pixels, sums_of_squares / pixels
    return mean, inverse_deviation(mean, mean_square)


def convolved_relu_pool(padded: tf.Tensor, kernels: tf.Tensor) -> tf.Tensor:
    """Returns a 3x3 convolution of few channels, ReLU, and 2x2 average pooling.

    The map in between, many times the size of the images, is never written.

    Args:
        padded: `[n, h + 2, w + 2, c]` float32 images; h and w are known and even.
        kernels: `[n, 9 c + 1, width]` float32, each image's own: rows, then columns,
            then channels, then the shift.

    Returns:
        `[n, h / 2, w / 2, width]` float32 tensor.
    """
    return compiled(_convolved_relu_pool)(padded, kernels)


def _sums_in_lanes(shape: tf.TensorShape) -> bool:
    """Returns whether TensorFlow sums such maps in lanes, and few enough pixels."""
    _, height, width, channels = shape
    pixels = height * width
    # Channels that do not fill a processor's vectors are summed in another order.
    fills_vectors = channels % 16 == 0
    return fills_vectors and pixels % _LANES == 0 and pixels <= _MOST_PIXELS


def _lanes(maps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the sums of every fourth pixel and of its square, `[n, 4, c]` each."""
    _, height, width, channels = maps.shape
    fours = tf.reshape(maps, [-1, height * width // _LANES, _LANES, channels])
    # All at once they would be squared, and written, before they are added.
    fours = tf.unstack(fours, axis=1)
    # The maximum changes nothing, but keeps the processor from adding a square before
    # it is rounded, as TensorFlow's operations cannot.
    squares = [tf.maximum(four * four, 0.0) for four in fours]
    return functools.reduce(tf.add, fours), functools.reduce(tf.add, squares)


def _sum_of_lanes(lanes: tf.Tensor) -> tf.Tensor:
    first, second, third, fourth = tf.unstack(lanes, axis=1)
    return (((first + second) + third) + fourth)[:, None, None]


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
