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
from hdd_tf.networks.layers.instance_norm import EPSILON, instance_moments
from hdd_tf.networks.layers.own_gradients import traced_once

Normed = tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]]
Activated = tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]


def compiles() -> bool:
    """Returns whether the functions here are for the devices of this process."""
    return not tf.config.list_physical_devices("GPU") and works("CPU:0")


@traced_once
def relu_pool(maps: tf.Tensor) -> Activated:
    """Returns ReLU and 2x2 average pooling of maps.

    Args:
        maps: `[n, h, w, c]` float tensor; h and w are known, and >= 2.

    Returns:
        `[n, h // 2, w // 2, c]` float32 tensor. A last odd row or column is left out.
    """
    gradient = _compiled(_relu_pool_gradient)
    return _compiled(_relu_pool)(maps), lambda above: gradient(maps, above)


@traced_once
def norm_relu_pool(maps: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> Normed:
    """Returns instance norm, ReLU and 2x2 average pooling of maps.

    Args:
        maps: `[n, h, w, c]` float tensor; h and w are known, and >= 2.
        gamma: `[c]` float32 scale.
        beta: `[c]` float32 shift.

    Returns:
        `[n, h // 2, w // 2, c]` float32 tensor. A last odd row or column counts in the
        norm, and is left out by the pooling.
    """
    pooled, mean, inverse_deviation = _compiled(_norm_relu_pool)(maps, gamma, beta)
    compiled = _compiled(_norm_relu_pool_gradient)

    def gradient(above: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        of_maps, of_gamma, of_beta = compiled(
            maps, mean, inverse_deviation, gamma, beta, above
        )
        # Summed over images in there, XLA would sum all over again, and slowly.
        return of_maps, tf.reduce_sum(of_gamma, 0), tf.reduce_sum(of_beta, 0)

    return pooled, gradient


def _compiled(function: Callable) -> Callable:
    """Returns a function that XLA compiles, with a count of traces of its own."""
    return tf.function(functools.partial(function), jit_compile=True, autograph=False)


def _relu_pool(maps: tf.Tensor) -> tf.Tensor:
    return _pool(tf.nn.relu(tf.cast(maps, tf.float32)))


def _relu_pool_gradient(maps: tf.Tensor, above: tf.Tensor) -> tf.Tensor:
    spread = _spread(above, maps)
    return tf.cast(tf.where(maps > 0, spread, tf.zeros_like(spread)), maps.dtype)


def _norm_relu_pool(
    maps: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    wide = tf.cast(maps, tf.float32)
    mean, inverse_deviation = instance_moments(wide, EPSILON)
    scale = gamma * inverse_deviation
    activation = tf.nn.relu(wide * scale + (beta - scale * mean))
    return _pool(activation), mean, inverse_deviation


def _norm_relu_pool_gradient(
    maps: tf.Tensor,
    mean: tf.Tensor,
    inverse_deviation: tf.Tensor,
    gamma: tf.Tensor,
    beta: tf.Tensor,
    above: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the gradients of maps, and of scale and shift for each image.

    That of the maps is batch norm's (Ioffe and Szegedy, 2015, section 3), with an
    image's pixels in the place of a batch.
    """
    wide = tf.cast(maps, tf.float32)
    scale = gamma * inverse_deviation
    is_on = wide * scale + (beta - scale * mean) > 0
    spread = _spread(above, maps)
    of_shifted = tf.where(is_on, spread, tf.zeros_like(spread))
    normalised = (wide - mean) * inverse_deviation
    of_beta = tf.reduce_sum(of_shifted, axis=[1, 2], keepdims=True)
    of_gamma = tf.reduce_sum(of_shifted * normalised, axis=[1, 2], keepdims=True)
    pixels = maps.shape[1] * maps.shape[2]
    # Mean and deviation follow the maps, which takes two directions off the gradient.
    of_maps = scale * (of_shifted - (of_beta + normalised * of_gamma) / pixels)
    return (
        tf.cast(of_maps, maps.dtype),
        of_gamma[:, 0, 0],
        of_beta[:, 0, 0],
    )


def _pool(maps: tf.Tensor) -> tf.Tensor:
    """Returns 2x2 averages; of slices, since XLA computes windows slowly on a CPU."""
    _, height, width, channels = maps.shape
    rows, columns = height // 2, width // 2
    even = maps[:, : 2 * rows, : 2 * columns]
    four = tf.reshape(even, [-1, rows, 2, columns, 2, channels])
    above = four[:, :, 0, :, 0] + four[:, :, 0, :, 1]
    below = four[:, :, 1, :, 0] + four[:, :, 1, :, 1]
    return (above + below) * 0.25


def _spread(above: tf.Tensor, maps: tf.Tensor) -> tf.Tensor:
    """Returns the gradient of `_pool` for the `maps` that were pooled."""
    _, height, width, channels = maps.shape
    rows, columns = height // 2, width // 2
    quarter = (above * 0.25)[:, :, None, :, None]
    shape = [tf.shape(above)[0], rows, 2, columns, 2, channels]
    even = tf.reshape(
        tf.broadcast_to(quarter, shape), [-1, 2 * rows, 2 * columns, channels]
    )
    if height % 2 or width % 2:
        return tf.pad(even, [[0, 0], [0, height % 2], [0, width % 2], [0, 0]])
    return even
