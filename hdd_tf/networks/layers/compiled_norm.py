"""Instance norm, ReLU and pooling of a block in bfloat16, compiled by XLA on CPUs.

Sums over a map are in another order than TensorFlow's, so what is to stay as it was to
the bit, the networks in float32, does not come here (`ordered_norm.py` is for these).

The gradients are written out, so that a compiled piece returns no more than is needed:
the map itself and the moments.
"""

import functools
from collections.abc import Callable

import tensorflow as tf

from hdd_tf.networks.layers.compiled_pools import (
    compiled,
    pool,
    quarters,
    spread_over,
)
from hdd_tf.networks.layers.instance_norm import EPSILON
from hdd_tf.networks.layers.own_gradients import traced_once

Normed = tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]]


def norm_relu_pool(
    maps: tf.Tensor,
    gamma: tf.Tensor,
    beta: tf.Tensor,
    dtype: tf.DType = tf.float32,
) -> tf.Tensor:
    """Returns instance norm, ReLU and 2x2 average pooling of maps.

    Args:
        maps: `[n, h, w, c]` float tensor; h and w are known, and >= 2.
        gamma: `[c]` float32 scale.
        beta: `[c]` float32 shift.
        dtype: Type of what is returned, which is computed in float32.

    Returns:
        `[n, h // 2, w // 2, c]` tensor. A last odd row or column counts in the norm,
        and is left out by the pooling.
    """
    return _norm_relu_pool_to(dtype)(maps, gamma, beta)


@functools.cache
def _norm_relu_pool_to(dtype: tf.DType) -> Callable[..., tf.Tensor]:
    @traced_once
    def operation(maps: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> Normed:
        sums = compiled(_sums)(maps)
        pooled, mean, inverse_deviation = compiled(_norm_relu_pool)(
            maps, *sums, gamma, beta, dtype
        )
        sums_of_gradient = compiled(_sums_of_gradient)
        gradient_of_maps = compiled(_gradient_of_maps)

        def gradient(above: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            known = maps, mean, inverse_deviation, gamma, beta, above
            of_shift, of_scale = (tf.reduce_sum(s, 1) for s in sums_of_gradient(*known))
            of_maps = gradient_of_maps(*known, of_shift, of_scale)
            # Summed over images in there, XLA would sum all over again, and slowly.
            return of_maps, tf.reduce_sum(of_scale, 0), tf.reduce_sum(of_shift, 0)

        return pooled, gradient

    return operation


def _sums(maps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the sums of each row's values and squares, `[n, h, c]`.

    In one piece with what needs the moments, or summed over rows too, XLA would pass
    over the maps twice, and take twice or thrice the time.
    """
    wide = tf.cast(maps, tf.float32)
    return tf.reduce_sum(wide, 2), tf.reduce_sum(wide * wide, 2)


def _norm_relu_pool(
    maps: tf.Tensor,
    sums: tf.Tensor,
    sums_of_squares: tf.Tensor,
    gamma: tf.Tensor,
    beta: tf.Tensor,
    dtype: tf.DType,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    pixels = maps.shape[1] * maps.shape[2]
    mean, mean_square = (
        tf.reduce_sum(s, 1)[:, None, None] / pixels for s in (sums, sums_of_squares)
    )
    # As in `instance_moments`, the difference can round below zero.
    variance = tf.maximum(mean_square - mean * mean, 0.0)
    inverse_deviation = tf.math.rsqrt(variance + EPSILON)
    scale = gamma * inverse_deviation
    activation = tf.nn.relu(tf.cast(maps, tf.float32) * scale + (beta - scale * mean))
    return tf.cast(pool(activation), dtype), mean, inverse_deviation


def _sums_of_gradient(
    maps: tf.Tensor,
    mean: tf.Tensor,
    inverse_deviation: tf.Tensor,
    gamma: tf.Tensor,
    beta: tf.Tensor,
    above: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the gradients of shift and scale for each row of pooled pixels.

    Returns:
        Two `[n, h // 2, c]` float32 tensors.
    """
    scale = gamma * inverse_deviation
    shift = beta - scale * mean
    counts = values = tf.zeros([])
    for part in quarters(maps):
        wide = tf.cast(part, tf.float32)
        is_on = tf.cast(wide * scale + shift > 0, tf.float32)
        counts += is_on
        values += is_on * (wide - mean)
    quarter = tf.cast(above, tf.float32) * 0.25
    of_shift = tf.reduce_sum(quarter * counts, 2)
    return of_shift, tf.reduce_sum(quarter * values, 2) * inverse_deviation[:, 0]


def _gradient_of_maps(
    maps: tf.Tensor,
    mean: tf.Tensor,
    inverse_deviation: tf.Tensor,
    gamma: tf.Tensor,
    beta: tf.Tensor,
    above: tf.Tensor,
    of_shift: tf.Tensor,
    of_scale: tf.Tensor,
) -> tf.Tensor:
    """Returns the gradient of the maps, given those of an image's shift and scale.

    It is batch norm's (Ioffe and Szegedy, 2015, section 3), with an image's pixels in
    the place of a batch.
    """
    wide = tf.cast(maps, tf.float32)
    scale = gamma * inverse_deviation
    is_on = wide * scale + (beta - scale * mean) > 0
    spread = spread_over(above, maps)
    of_shifted = tf.where(is_on, spread, tf.zeros_like(spread))
    normalised = (wide - mean) * inverse_deviation
    pixels = maps.shape[1] * maps.shape[2]
    of_shift, of_scale = of_shift[:, None, None], of_scale[:, None, None]
    # Mean and deviation follow the maps, which takes two directions off the gradient.
    of_maps = scale * (of_shifted - (of_shift + normalised * of_scale) / pixels)
    return tf.cast(of_maps, maps.dtype)
