"""Operations of the fused block, cheaper on a CPU than TensorFlow's own.

Values and gradients are those of TensorFlow's operations, to the bit in float32.

TensorFlow keeps a custom gradient until the process ends, and with it the graph that it
was made in. So each operation here is a graph of its own, traced once for a shape: what
is kept is its few nodes, and not the graph of a run that calls it.
"""

import functools
from collections.abc import Callable

import tensorflow as tf

Gradient = Callable[[tf.Tensor], tf.Tensor]


def traced_once(
    operation: Callable[..., tuple[tf.Tensor, Gradient]],
) -> Callable[..., tf.Tensor]:
    """Returns an operation that is traced once for each shape and dtype.

    Args:
        operation: Function from tensors to a tensor and its gradient, as
            `tf.custom_gradient` takes it.
    """
    with_gradient = tf.custom_gradient(operation)
    traced: dict[tuple[tf.TensorSpec, ...], Callable[..., tf.Tensor]] = {}

    def call(*tensors: tf.Tensor) -> tf.Tensor:
        specs = tuple(tf.TensorSpec(t.shape, t.dtype) for t in tensors)
        if specs not in traced:
            # TensorFlow warns of a function that many shapes trace; a partial has a
            # count of its own.
            graph = functools.partial(with_gradient)
            traced[specs] = tf.function(graph, specs, autograph=False)
        return traced[specs](*tensors)

    return call


@traced_once
def _bits_relu(maps: tf.Tensor, has_nan: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
    def of_bits() -> tf.Tensor:
        bits = tf.bitcast(maps, tf.int16)
        return tf.bitcast(tf.maximum(bits, tf.zeros([], tf.int16)), maps.dtype)

    values = tf.cond(has_nan, lambda: tf.nn.relu(maps), of_bits)

    def gradient(above: tf.Tensor) -> tuple[tf.Tensor, None]:
        return tf.raw_ops.ReluGrad(gradients=above, features=values), None

    return values, gradient


def relu(maps: tf.Tensor, has_nan: tf.Tensor) -> tf.Tensor:
    """Returns `max(maps, 0)`.

    TensorFlow's kernel for bfloat16 on a CPU takes several times the time of that for
    whole numbers of as many bits, whose sign and order are the same, but for NaN.

    Args:
        maps: `[n, h, w, c]` maps.
        has_nan: Bool scalar, False where it is known that no map has a NaN.
    """
    if maps.dtype != tf.bfloat16 or _has_gpu():
        return tf.nn.relu(maps)
    return _bits_relu(maps, has_nan)


def _neighbours(padded: tf.Tensor) -> tf.Tensor:
    height, width = padded.shape[1] - 2, padded.shape[2] - 2
    taps = [
        padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)
    ]
    return tf.concat([*taps, tf.ones_like(taps[0][..., :1])], axis=-1)


def _summed_neighbours(above: tf.Tensor, channels: int) -> tf.Tensor:
    """Returns the gradient of `_neighbours`, a fifth of the time of TensorFlow's own.

    That moves the channels of one pixel at a time; here it is those of a row. The bits
    are the same: TensorFlow adds terms in the order of their names, here as there that
    in which they are made.
    """
    _, height, width, _ = above.shape
    taps = tf.split(above, [*[channels] * 9, 1], axis=-1)[:9]
    rows = [tf.reshape(tap, [-1, height, width * channels]) for tap in taps]
    placed = [
        tf.pad(
            rows[3 * i + j],
            [[0, 0], [i, 2 - i], [j * channels, (2 - j) * channels]],
        )
        for i in range(3)
        for j in range(3)
    ]
    return tf.reshape(tf.add_n(placed), [-1, height + 2, width + 2, channels])


@traced_once
def _convolved_neighbours(padded: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
    taps = 9 * padded.shape[-1]
    # Each output channel is one tap, and the last is the constant.
    kernel = tf.eye(taps, taps + 1, dtype=padded.dtype)
    kernel = tf.reshape(kernel, [3, 3, -1, taps + 1])
    constant = tf.one_hot(taps, taps + 1, dtype=padded.dtype)
    values = tf.nn.bias_add(tf.nn.conv2d(padded, kernel, 1, "VALID"), constant)

    def gradient(above: tf.Tensor) -> tf.Tensor:
        found = _summed_neighbours(tf.cast(above, tf.float32), padded.shape[-1])
        return tf.cast(found, above.dtype)

    return values, gradient


def neighbours(padded: tf.Tensor) -> tf.Tensor:
    """Returns the 3x3 pixels around each pixel, and the number 1.

    On a CPU a convolution with kernels of one 1 each copies the pixels in a third of
    the time of slices and their concatenation, which move three numbers at a time.

    Args:
        padded: `[n, h + 2, w + 2, c]` float tensor of finite numbers.

    Returns:
        `[n, h, w, 9 c + 1]` tensor: rows, then columns, then channels.
    """
    if _has_gpu():
        return _neighbours(padded)
    return _convolved_neighbours(padded)


@traced_once
def _spread(above: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
    """The gradient of averages, whose own gradient are averages again."""
    _, height, width, _ = above.shape
    quarters = above * 0.25
    values = tf.raw_ops.ResizeNearestNeighbor(
        images=quarters, size=[2 * height, 2 * width]
    )
    return values, _average_pool


@traced_once
def _pooled(maps: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
    return _average_pool(maps), _spread


def _average_pool(maps: tf.Tensor) -> tf.Tensor:
    return tf.nn.avg_pool2d(maps, 2, 2, "VALID")


def average_pool(maps: tf.Tensor) -> tf.Tensor:
    """Returns the averages of 2x2 pixels.

    On a CPU enlarging an image is a faster gradient than TensorFlow's, with the same
    bits: a quarter is exact.

    Args:
        maps: `[n, h, w, c]` float tensor.

    Returns:
        `[n, h // 2, w // 2, c]` tensor. A last odd row or column is left out.
    """
    _, height, width, _ = maps.shape
    is_even = height and width and height % 2 == width % 2 == 0
    if is_even and maps.dtype == tf.float32 and not _has_gpu():
        return _pooled(maps)
    return _average_pool(maps)


def _has_gpu() -> bool:
    return bool(tf.config.list_physical_devices("GPU"))
