"""Instance norm, ReLU and pooling of a block in float32, compiled by XLA on CPUs.

Values and gradients are the bits of TensorFlow's operations (the plain form in
`conv_block.py`): all is summed in their order, and rounded where they round. Gradients
of gradients, though right, are not these bits.
"""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hdd_tf.networks.layers.compiled_pools import (
    compiled,
    scaled_relu_pool,
    spread_over,
)
from hdd_tf.networks.layers.instance_norm import inverse_deviation
from hdd_tf.networks.layers.own_gradients import traced_once

# TensorFlow sums a map's pixels in turn into four numbers for each channel.
_LANES = 4
# Fewer are summed in another order. Each is written out, so that more take long to
# compile. To divide by a power of two is the same bits, however it is done.
_PIXELS = (16, 32, 64, 128, 256)

Gradients = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]


def can_be_ordered(shape: tf.TensorShape) -> bool:
    """Returns whether maps can be normalised here with TensorFlow's bits.

    Args:
        shape: That of the maps, `[n, h, w, c]`; all but n is known, h and w are even.
    """
    _, height, width, channels = shape
    # TensorFlow may sum channels that do not fill a processor's vectors in another way.
    fills_vectors = channels % 16 == 0
    # The four numbers of a channel are to be pixels of one row.
    return fills_vectors and width % _LANES == 0 and height * width in _PIXELS


@traced_once
def ordered_norm_relu_pool(
    maps: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor
) -> tuple[tf.Tensor, Gradients]:
    """Returns instance norm, ReLU and 2x2 average pooling of maps.

    Args:
        maps: `[n, h, w, c]` float32 tensor of a shape that `can_be_ordered`.
        gamma: `[c]` float32 scale.
        beta: `[c]` float32 shift.

    Returns:
        `[n, h / 2, w / 2, c]` float32 tensor.
    """
    pixels = maps.shape[1] * maps.shape[2]
    # In one piece with what follows, XLA would sum anew for each lane.
    sums, sums_of_squares = compiled(_lanes)(maps)
    mean, mean_square = (_sum_of_lanes(s) / pixels for s in (sums, sums_of_squares))
    inputs = mean, mean_square, gamma, beta
    factors = _scale_and_shift(*inputs)

    def gradient(above: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        on, off = compiled(_lanes_of_gradient)(maps, *factors, above)
        of_shift = tf.reduce_sum(above, [1, 2], keepdims=True) - _sum_of_lanes(off)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = _scale_and_shift(*inputs)
        of_mean, of_mean_square, of_gamma, of_beta = tape.gradient(
            outputs, inputs, [_sum_of_lanes(on), of_shift]
        )
        of_maps = compiled(_gradient_of_maps)(
            maps, *factors, above, of_mean / pixels, of_mean_square / pixels
        )
        return of_maps, of_gamma, of_beta

    return scaled_relu_pool(maps, *factors), gradient


def _scale_and_shift(
    mean: tf.Tensor, mean_square: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns by what maps are multiplied, and what is then added.

    Args:
        mean: `[n, 1, 1, c]` means of the maps.
        mean_square: `[n, 1, 1, c]` means of their squares.
        gamma: `[c]` scale.
        beta: `[c]` shift.

    Returns:
        Two `[n, 1, 1, c]` tensors.
    """
    scale = gamma * inverse_deviation(mean, mean_square)
    return scale, beta - scale * mean


def _in_lanes(maps: tf.Tensor) -> list[tf.Tensor]:
    """Returns four pixels after four pixels of `[n, h, w, c]`, `[n, 4, c]` each."""
    _, height, width, channels = maps.shape
    fours = tf.reshape(maps, [-1, height * width // _LANES, _LANES, channels])
    return tf.unstack(fours, axis=1)


def _lanes(maps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the sums of every fourth pixel and of its square, `[n, 4, c]` each."""
    fours = _in_lanes(maps)
    # All at once they would be squared, and written, before they are added.
    squares = [_rounded(four * four) for four in fours]
    return functools.reduce(tf.add, fours), functools.reduce(tf.add, squares)


def _sum_of_lanes(lanes: tf.Tensor) -> tf.Tensor:
    """Returns the sums `[n, 1, 1, c]` of lanes `[n, 4, c]`, as TensorFlow adds them."""
    first, second, third, fourth = tf.unstack(lanes, axis=1)
    return (((first + second) + third) + fourth)[:, None, None]


def _lanes_of_gradient(
    maps: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor, above: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the gradients of scale, and of `-shift` where it is the larger one.

    Args:
        maps: `[n, h, w, c]` tensor.
        scale: `[n, 1, 1, c]` tensor.
        shift: `[n, 1, 1, c]` tensor.
        above: `[n, h / 2, w / 2, c]` gradient of what was pooled.

    Returns:
        Two `[n, 4, c]` float32 tensors.
    """
    _, height, width, channels = maps.shape
    rows, columns = height // 2, width // _LANES
    # What is above two pixels of a lane's four is above the two of the row below too.
    quarters = tf.reshape(above * 0.25, [-1, rows * columns, 2, 1, channels])
    pairs = tf.broadcast_to(
        quarters, [tf.shape(above)[0], rows * columns, 2, 2, channels]
    )
    spread = tf.unstack(
        tf.reshape(pairs, [-1, rows * columns, _LANES, channels]), axis=1
    )
    scale, bound = scale[:, 0], -shift[:, 0]
    zero = tf.zeros_like(spread[0])
    on = off = zero
    for place, four in enumerate(_in_lanes(maps)):
        row, column = divmod(place, columns)
        passed = spread[row // 2 * columns + column]
        is_on = four * scale >= bound
        on += _rounded(tf.where(is_on, passed, zero) * four)
        off += tf.where(is_on, zero, passed)
    return on, off


def _gradient_of_maps(
    maps: tf.Tensor,
    scale: tf.Tensor,
    shift: tf.Tensor,
    above: tf.Tensor,
    of_mean: tf.Tensor,
    of_mean_square: tf.Tensor,
) -> tf.Tensor:
    """Returns the gradient `[n, h, w, c]` of maps.

    Args:
        maps: As for `_lanes_of_gradient`, and so are the next three.
        scale: See there.
        shift: See there.
        above: See there.
        of_mean: `[n, 1, 1, c]` gradient of each pixel through the mean.
        of_mean_square: `[n, 1, 1, c]` gradient of each pixel's square.
    """
    spread = spread_over(above, maps)
    of_scaled = tf.where(maps * scale >= -shift, spread, tf.zeros_like(spread))
    # TensorFlow's gradient of a square is two terms.
    of_square = _rounded(of_mean_square * maps)
    return ((_rounded(of_scaled * scale) + of_square) + of_square) + of_mean


def _rounded(products: tf.Tensor) -> tf.Tensor:
    """Returns products as they are.

    But for the comparison the processor would add a product before it is rounded, as
    TensorFlow's operations cannot.
    """
    return tf.where(products == products, products, np.nan)
