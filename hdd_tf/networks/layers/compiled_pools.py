"""ReLU and pooling of a block, compiled by XLA on CPUs.

TensorFlow's wheels hold no code of AVX2 or AVX512 but oneDNN's, and each of its
operations passes over a whole map. XLA compiles for the processor at hand, and makes
one pass of several operations.

In float32 values are the bits of TensorFlow's operations: none here is a sum of
products, and the four of a pooled pixel are added in oneDNN's order. For sums over a
map see `ordered_norm.py`.
"""

import functools
from collections.abc import Callable

import tensorflow as tf

from hdd_tf.distributed.compilation import may_have_pieces, works
from hdd_tf.networks.layers.own_gradients import average_pool, traced_once

Gradient = Callable[[tf.Tensor], tf.Tensor]
Gradients = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]

# Compiling takes longer than one pass less over smaller maps will ever save.
_LEAST_SIZE = 1 << 15
# Smaller maps pay by their gradients alone, and over many images. Norms, which have
# most of these passes, can be compiled where they are differentiated once.
_LEAST_OF_ALL = 1 << 21


def compiles() -> bool:
    """Returns whether the graph that is traced may and can have compiled pieces."""
    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    return may_have_pieces() and not has_gpu and works("CPU:0")


def pays(shape: tf.TensorShape, times: int) -> bool:
    """Returns whether compiling pays in float32.

    Args:
        shape: That of the maps, `[n, h, w, c]`. With odd h or w TensorFlow's pooling
            has another gradient, whose bits are not those of compiled pieces.
        times: How often the maps are differentiated.
    """
    images, height, width, channels = shape
    is_even = height % 2 == width % 2 == 0
    size = height * width * channels
    of_all = size * (images or 0)
    return is_even and (size >= _LEAST_SIZE or (times == 1 and of_all >= _LEAST_OF_ALL))


def relu_pool(maps: tf.Tensor, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Returns ReLU and 2x2 average pooling of maps.

    Args:
        maps: `[n, h, w, c]` float tensor; h and w are known, and >= 2.
        dtype: Type of what is returned, which is computed in float32.

    Returns:
        `[n, h // 2, w // 2, c]` tensor. A last odd row or column is left out.
    """
    return _relu_pool_to(dtype)(maps)


@traced_once
def scaled_relu_pool(
    maps: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor
) -> tuple[tf.Tensor, Gradients]:
    """Returns 2x2 averages of `max(maps * scale, -shift)`, plus `shift`.

    Its gradient is one term, where that of TensorFlow's operations is several, so that
    gradients which further terms are added to are not the same bits.

    Args:
        maps: `[n, h, w, c]` float32 tensor; h and w are known, even, and >= 2.
        scale: `[n, 1, 1, c]` float32 tensor.
        shift: `[n, 1, 1, c]` float32 tensor.

    Returns:
        `[n, h / 2, w / 2, c]` float32 tensor.
    """

    def gradient(above: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        inputs = maps, scale, shift
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            pooled = average_pool(tf.maximum(maps * scale, -shift)) + shift
        return tape.gradient(pooled, inputs, above)

    return compiled(_scaled_relu_pool)(maps, scale, shift), gradient


def compiled(function: Callable) -> Callable:
    """Returns a function that XLA compiles, with a count of traces of its own."""
    return tf.function(functools.partial(function), jit_compile=True, autograph=False)


def quarters(maps: tf.Tensor) -> list[tf.Tensor]:
    """Returns the four pixels that are averaged, each as a map of half the size.

    Args:
        maps: `[n, h, w, c]` tensor; h and w are known, and >= 2.

    Returns:
        Four `[n, h // 2, w // 2, c]` tensors: rows, then columns.
    """
    _, height, width, channels = maps.shape
    rows, columns = height // 2, width // 2
    even = maps[:, : 2 * rows, : 2 * columns]
    four = tf.reshape(even, [-1, rows, 2, columns, 2, channels])
    return [four[:, :, i, :, j] for i in range(2) for j in range(2)]


def average(four: list[tf.Tensor]) -> tf.Tensor:
    """Returns the averages of four tensors of one shape, added as oneDNN does."""
    first, second, third, fourth = four
    return (((first + second) + third) + fourth) * 0.25


def pool(maps: tf.Tensor) -> tf.Tensor:
    """Returns 2x2 averages; of slices, since XLA computes windows slowly on a CPU.

    Args:
        maps: `[n, h, w, c]` float tensor; h and w are known, and >= 2.

    Returns:
        `[n, h // 2, w // 2, c]` tensor of the same type.
    """
    return average(quarters(maps))


def spread_over(above: tf.Tensor, maps: tf.Tensor) -> tf.Tensor:
    """Returns the gradient of `pool`.

    Args:
        above: `[n, h // 2, w // 2, c]` float tensor.
        maps: What was pooled, `[n, h, w, c]`; only its shape counts.

    Returns:
        `[n, h, w, c]` float32 tensor, zero in a last odd row or column.
    """
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


@functools.cache
def _relu_pool_to(dtype: tf.DType) -> Callable[[tf.Tensor], tf.Tensor]:
    @traced_once
    def operation(maps: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
        return compiled(_relu_pool)(maps, dtype), functools.partial(_masked, maps)

    return operation


@traced_once
def _masked(maps: tf.Tensor, above: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """The gradient of `relu_pool`, linear in what is above."""

    def gradient(second: tf.Tensor) -> tuple[None, tf.Tensor]:
        return None, compiled(_masked_pool)(maps, second, above.dtype)

    return compiled(_masked_spread)(maps, above), gradient


def _relu_pool(maps: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    return tf.cast(pool(tf.nn.relu(tf.cast(maps, tf.float32))), dtype)


def _masked_spread(maps: tf.Tensor, above: tf.Tensor) -> tf.Tensor:
    even = spread_over(above, maps)
    return tf.cast(tf.where(maps > 0, even, tf.zeros_like(even)), maps.dtype)


def _masked_pool(maps: tf.Tensor, second: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    wide = tf.cast(second, tf.float32)
    return tf.cast(pool(tf.where(maps > 0, wide, tf.zeros_like(wide))), dtype)


def _scaled_relu_pool(maps: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    # A quarter is exact, so that the last sum rounds once, fused or not.
    clipped = [tf.maximum(part * scale, -shift) for part in quarters(maps)]
    return average(clipped) + shift
