"""Passes forward through a block in float32, compiled by XLA on CPUs.

For images whose features alone are asked for, as those of real images are: nothing here
has a gradient. Values are the bits of TensorFlow's operations, since all is summed in
their order and rounded where they round.
"""

import functools

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
    first, *others = tf.unstack(fours, axis=1)
    sums, squares = first, _square(first)
    for four in others:
        sums += four
        squares += _square(four)
    return sums, squares


def _sum_of_lanes(lanes: tf.Tensor) -> tf.Tensor:
    first, second, third, fourth = tf.unstack(lanes, axis=1)
    return (((first + second) + third) + fourth)[:, None, None]


def _square(numbers: tf.Tensor) -> tf.Tensor:
    # The maximum changes nothing, but keeps the processor from adding the square
    # before it is rounded, as TensorFlow's operations cannot.
    return tf.maximum(numbers * numbers, 0.0)


def _convolved_relu_pool(padded: tf.Tensor, kernels: tf.Tensor) -> tf.Tensor:
    _, height, width, channels = padded.shape
    rows, columns = height // 2, width // 2
    halves = tf.reshape(padded, [-1, rows, 2, columns, 2, channels])
    *factors, shift = (tap[:, None, None] for tap in tf.unstack(kernels, axis=1))
    taps = [
        (row, column, channel)
        for row in range(3)
        for column in range(3)
        for channel in range(channels)
    ]

    @functools.cache
    def pixel(row: int, column: int, channel: int) -> tf.Tensor:
        """What each window of 4x4 pixels has there, `[n, h / 2, w / 2, 1]`."""
        below, right = row // 2, column // 2
        return halves[
            :,
            below : below + rows - 1,
            row % 2,
            right : right + columns - 1,
            column % 2,
            channel : channel + 1,
        ]

    def convolved(row: int, column: int) -> tf.Tensor:
        terms = (
            pixel(row + down, column + right, channel) * factor
            for (down, right, channel), factor in zip(taps, factors, strict=True)
        )
        # oneDNN adds a product to what is before it and rounds once. XLA does so too,
        # to the first product of a sum: so the new one stands first.
        values = next(terms)
        for term in terms:
            values = term + values
        return values + shift

    return average([tf.nn.relu(convolved(i, j)) for i in range(2) for j in range(2)])
