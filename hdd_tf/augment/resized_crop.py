"""Random resized crops: a part of an image, resized to the size of the image.

Resizing is bilinear with antialiasing: the filter is a triangle of half-width
max(1, in / out), whose weights are renormalised at the crop's edges. A crop of the
whole image, resized to its own size, is exactly the image.

Source: the resizing and the draws of the published programs' framework, as RDED (Sun et
al., CVPR 2024) and G-VBSM (Shao et al., CVPR 2024) use them.
"""

import math

import tensorflow as tf

from hdd_tf.random_keys import derive_key

_TRIES = 10
# The streams of random numbers under a draw's key.
_SHARE, _RATIO, _PLACE = range(3)


def draw_boxes(
    key: tf.Tensor,
    count: int | tf.Tensor,
    height: int,
    width: int,
    smallest: float,
    ratios: tuple[float, float] = (3 / 4, 4 / 3),
) -> tf.Tensor:
    """Draws a crop of each image.

    The crop's share of the image's area is uniform in [smallest, 1]. The logarithm of
    the ratio of width to height is uniform between those of `ratios`. A crop that does
    not fit is drawn again. After ten tries the crop is the largest central one whose
    ratio lies in that range.

    Args:
        key: `[2]` int32 key; the draw depends on the key alone.
        count: Number of images.
        height: Rows of the images.
        width: Columns of the images.
        smallest: Smallest share of the area, in (0, 1].
        ratios: Smallest and largest ratio of width to height.

    Returns:
        `[count, 4]` int32: top, left, height and width of the crops, in pixels.
    """
    shape, (low, high) = [count, _TRIES], ratios
    area = float(height * width) * tf.random.stateless_uniform(
        shape, derive_key(key, _SHARE), smallest, 1.0
    )
    ratio = tf.exp(
        tf.random.stateless_uniform(
            shape, derive_key(key, _RATIO), math.log(low), math.log(high)
        )
    )
    rows = tf.cast(tf.round(tf.sqrt(area / ratio)), tf.int32)
    columns = tf.cast(tf.round(tf.sqrt(area * ratio)), tf.int32)
    fits = (rows > 0) & (rows <= height) & (columns > 0) & (columns <= width)
    # The first crop that fits.
    chosen = tf.argmax(tf.cast(fits, tf.int32), axis=1)[:, None]
    found = tf.reduce_any(fits, axis=1)
    rows = tf.gather(rows, chosen, batch_dims=1)[:, 0]
    columns = tf.gather(columns, chosen, batch_dims=1)[:, 0]
    central_rows = min(height, round(width / low))
    central_columns = min(width, round(height * high))
    rows = tf.where(found, rows, central_rows)
    columns = tf.where(found, columns, central_columns)
    place = tf.random.stateless_uniform([count, 2], derive_key(key, _PLACE))
    # A float32 below 1 times a whole number, rounded, stays below that number.
    top = tf.cast(place[:, 0] * tf.cast(height - rows + 1, tf.float32), tf.int32)
    left = tf.cast(place[:, 1] * tf.cast(width - columns + 1, tf.float32), tf.int32)
    top = tf.where(found, top, (height - central_rows) // 2)
    left = tf.where(found, left, (width - central_columns) // 2)
    return tf.stack([top, left, rows, columns], axis=1)


def draw_flips(key: tf.Tensor, count: int | tf.Tensor) -> tf.Tensor:
    """Draws `[count]` booleans, each True (mirror the image) with probability 1/2."""
    return tf.random.stateless_uniform([count], key) < 0.5


def resize_boxes(
    images: tf.Tensor,
    boxes: tf.Tensor,
    height: int,
    width: int,
    flips: tf.Tensor | None = None,
) -> tf.Tensor:
    """Cuts a part out of each image and resizes the part.

    Args:
        images: `[n, h, w, c]` float32.
        boxes: `[n, 4]` integers: top, left, height and width of the parts, in pixels.
        height: Rows of the result.
        width: Columns of the result.
        flips: `[n]` bool, True for results to mirror; None mirrors none.

    Returns:
        `[n, height, width, c]` float32.
    """
    boxes = tf.cast(boxes, tf.float32)
    rows, columns, channels = images.shape[1:]
    lines = _triangle_weights(boxes[:, 0], boxes[:, 2], rows, height)
    across = _triangle_weights(boxes[:, 1], boxes[:, 3], columns, width)
    if flips is not None:
        across = tf.where(flips[:, None, None], tf.reverse(across, [1]), across)
    # Two matrix products for each image need neither a loop nor a gather of pixels.
    flat = tf.matmul(lines, tf.reshape(images, [-1, rows, columns * channels]))
    resized = tf.einsum(
        "nxw,nywc->nyxc", across, tf.reshape(flat, [-1, height, columns, channels])
    )
    return tf.ensure_shape(resized, [images.shape[0], height, width, channels])


def flip_images(images: tf.Tensor, flips: tf.Tensor) -> tf.Tensor:
    """Mirrors those of `[n, h, w, c]` images for which `flips` `[n]` is True."""
    return tf.where(flips[:, None, None, None], tf.reverse(images, [2]), images)


def _triangle_weights(
    first: tf.Tensor, length: tf.Tensor, size: int, wanted: int
) -> tf.Tensor:
    """Returns `[n, wanted, size]` weights of a line's pixels in each resized pixel.

    Args:
        first: `[n]` float32, first pixel of the part.
        length: `[n]` float32, number of pixels of the part.
        size: Pixels of the whole line.
        wanted: Pixels of the result.
    """
    first, length = first[:, None, None], length[:, None, None]
    scale = length / float(wanted)
    centre = first + (tf.range(wanted, dtype=tf.float32)[:, None] + 0.5) * scale
    pixel = tf.range(size, dtype=tf.float32)
    distance = tf.abs(pixel + 0.5 - centre) / tf.maximum(scale, 1.0)
    inside = (pixel >= first) & (pixel < first + length)
    weights = tf.where(inside, tf.maximum(1.0 - distance, 0.0), 0.0)
    return weights / tf.reduce_sum(weights, axis=-1, keepdims=True)
