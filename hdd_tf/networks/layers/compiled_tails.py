"""What follows the convolution of a block in bfloat16, compiled by XLA on CPUs.

TensorFlow's wheels hold no code of AVX2 or AVX512 but oneDNN's, and each of its
operations passes over a whole map. XLA compiles for the processor at hand, and makes
one pass of several operations. Sums are in another order, so what is to stay as it was
to the bit, the networks in float32, does not come here.

The gradients are written out, so that a compiled piece returns no more than is needed:
the map itself and the moments.
"""

import functools
from collections.abc import Callable

import tensorflow as tf

from hdd_tf.distributed.compilation import works
from hdd_tf.networks.layers.instance_norm import EPSILON
from hdd_tf.networks.layers.own_gradients import traced_once

Normed = tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]]
Activated = tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]


def compiles() -> bool:
    """Returns whether the functions here are for the devices of this process."""
    return not tf.config.list_physical_devices("GPU") and works("CPU:0")


def relu_pool(maps: tf.Tensor, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Returns ReLU and 2x2 average pooling of maps.

    Args:
        maps: `[n, h, w, c]` float tensor; h and w are known, and >= 2.
        dtype: Type of what is returned, which is computed in float32.

    Returns:
        `[n, h // 2, w // 2, c]` tensor. A last odd row or column is left out.
    """
    return _relu_pool_to(dtype)(maps)


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
def _relu_pool_to(dtype: tf.DType) -> Callable[[tf.Tensor], tf.Tensor]:
    @traced_once
    def operation(maps: tf.Tensor) -> Activated:
        gradient = _compiled(_relu_pool_gradient)
        pooled = _compiled(_relu_pool)(maps, dtype)
        return pooled, lambda above: gradient(maps, above)

    return operation


@functools.cache
def _norm_relu_pool_to(dtype: tf.DType) -> Callable[..., tf.Tensor]:
    @traced_once
    def operation(maps: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> Normed:
        sums = _compiled(_sums)(maps)
        pooled, mean, inverse_deviation = _compiled(_norm_relu_pool)(
            maps, *sums, gamma, beta, dtype
        )
        sums_of_gradient = _compiled(_sums_of_gradient)
        gradient_of_maps = _compiled(_gradient_of_maps)

        def gradient(above: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            known = maps, mean, inverse_deviation, gamma, beta, above
            of_shift, of_scale = (tf.reduce_sum(s, 1) for s in sums_of_gradient(*known))
            of_maps = gradient_of_maps(*known, of_shift, of_scale)
            # Summed over images in there, XLA would sum all over again, and slowly.
            return of_maps, tf.reduce_sum(of_scale, 0), tf.reduce_sum(of_shift, 0)

        return pooled, gradient

    return operation


def _compiled(function: Callable) -> Callable:
    """Returns a function that XLA compiles, with a count of traces of its own."""
    return tf.function(functools.partial(function), jit_compile=True, autograph=False)


def _relu_pool(maps: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    return tf.cast(_pool(tf.nn.relu(tf.cast(maps, tf.float32))), dtype)


def _relu_pool_gradient(maps: tf.Tensor, above: tf.Tensor) -> tf.Tensor:
    spread = _spread(above, maps)
    return tf.cast(tf.where(maps > 0, spread, tf.zeros_like(spread)), maps.dtype)


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
    return tf.cast(_pool(activation), dtype), mean, inverse_deviation


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
    for part in _quarters(maps):
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
    spread = _spread(above, maps)
    of_shifted = tf.where(is_on, spread, tf.zeros_like(spread))
    normalised = (wide - mean) * inverse_deviation
    pixels = maps.shape[1] * maps.shape[2]
    of_shift, of_scale = of_shift[:, None, None], of_scale[:, None, None]
    # Mean and deviation follow the maps, which takes two directions off the gradient.
    of_maps = scale * (of_shifted - (of_shift + normalised * of_scale) / pixels)
    return tf.cast(of_maps, maps.dtype)


def _quarters(maps: tf.Tensor) -> list[tf.Tensor]:
    """Returns the four pixels that are averaged, each as a map of half the size."""
    _, height, width, channels = maps.shape
    rows, columns = height // 2, width // 2
    even = maps[:, : 2 * rows, : 2 * columns]
    four = tf.reshape(even, [-1, rows, 2, columns, 2, channels])
    return [four[:, :, i, :, j] for i in range(2) for j in range(2)]


def _pool(maps: tf.Tensor) -> tf.Tensor:
    """Returns 2x2 averages; of slices, since XLA computes windows slowly on a CPU."""
    first, second, third, fourth = _quarters(maps)
    return ((first + second) + (third + fourth)) * 0.25


def _spread(above: tf.Tensor, maps: tf.Tensor) -> tf.Tensor:
    """Returns the gradient of `_pool` for the `maps` that were pooled."""
    _, height, width, channels = maps.shape
    rows, columns = height // 2, width // 2
    quarter = (tf.cast(above, tf.float32) * 0.25)[:, :, None, :, None]
    shape = [tf.shape(above)[0], rows, 2, columns, 2, channels]
    even = tf.reshape(
        tf.broadcast_to(quarter, shape), [-1, 2 * rows, 2 * columns, channels]
    )
    if height % 2 or width % 2:
        return tf.pad(even, [[0, 0], [0, height % 2], [0, width % 2], [0, 0]])
    return even
