"""Affine warps of images: bilinear sampling in pixel coordinates, zeros outside.

An affine map is a row `(a0, a1, a2, b0, b1, b2)`: the output pixel in column x and
row y shows the input at column `a0 x + a1 y + a2` and row `b0 x + b1 y + b2`. Pixel
centres have integer coordinates, and the first pixel is (0, 0).

TensorFlow's op `ImageProjectiveTransformV3` is not used. Its gradient is wrong
(tensorflow issue 127241: it transforms the cotangent by the inverse map, which is not
the adjoint of bilinear sampling), and it rounds coordinates to float32. The images of a
group share one map, so this module computes the pixels once a group and then moves long
rows. For groups of many images that is no slower than the op.

On a GPU the forward pass is deterministic. The gradient is summed with atomics, in no
fixed order, unless `tf.config.experimental.enable_op_determinism()` is on.
"""

from collections.abc import Callable

import tensorflow as tf


def warp(
    images: tf.Tensor, affine: tf.Tensor, differentiable: bool = True
) -> tf.Tensor:
    """Warps images, one map per group; the gradient is the exact adjoint.

    Args:
        images: `[g, n, h, w, c]` float tensor.
        affine: `[g, 6]` float tensor, maps from output pixels to input pixels; float64
            keeps the coordinates exact to the images' precision. No gradient flows to
            the maps.
        differentiable: True if a gradient flows to `images`. False lets the graph be
            freed: TensorFlow keeps every custom gradient until the process ends, and
            with the gradient its graph and all variables of that graph.

    Returns:
        `[g, n, h, w, c]` tensor of `images`' dtype. The identity, flips and shifts by
        whole pixels are exact.
    """
    taps = _bilinear_taps(tf.stop_gradient(affine), images)

    def sample(images: tf.Tensor) -> tuple[tf.Tensor, Callable[..., tf.Tensor]]:
        rows = _to_rows(images)
        mixed = tf.add_n([tf.gather(rows, row) * weight for row, weight in taps])

        def adjoint(cotangent: tf.Tensor) -> tf.Tensor:
            # The adjoint of a weighted gather is a weighted scatter with addition.
            rows = _to_rows(cotangent)
            scattered = tf.math.unsorted_segment_sum(
                tf.concat([rows * weight for _, weight in taps], axis=0),
                tf.concat([row for row, _ in taps], axis=0),
                tf.shape(rows)[0],
            )
            return _from_rows(scattered, cotangent)

        return _from_rows(mixed, images), adjoint

    if not differentiable:
        return tf.stop_gradient(sample(images)[0])
    return tf.custom_gradient(sample)(images)


def affine_maps(
    height: int,
    width: int,
    *,
    shift_rows: tf.Tensor,
    shift_columns: tf.Tensor,
    mirror: tf.Tensor,
    scale_x: tf.Tensor,
    scale_y: tf.Tensor,
    angle: tf.Tensor,
) -> tf.Tensor:
    """Builds affine maps around the image's centre; mirroring is applied first.

    Scale and rotation act on a sampling grid in [-1, 1] along both sides, as in the
    released program of DSA. So a rotation of an image that is not square shears it too.
    The identity, mirroring and shifts are exact.

    Args:
        height: Rows of the images.
        width: Columns of the images.
        shift_rows: `[g]` floats, offset in pixels from an output row down to the input
            row that it shows.
        shift_columns: `[g]` floats, offset in pixels from an output column right to the
            input column that it shows.
        mirror: `[g]` booleans, True to mirror left and right.
        scale_x: `[g]` horizontal factors of the grid; above 1 the image shrinks.
        scale_y: `[g]` vertical factors of the grid; above 1 the image shrinks.
        angle: `[g]` floats, rotation of the grid in radians.

    Returns:
        `[g, 6]` float64 tensor for `warp`.
    """
    shift_rows, shift_columns, scale_x, scale_y, angle = (
        tf.cast(value, tf.float64)
        for value in (shift_rows, shift_columns, scale_x, scale_y, angle)
    )
    sign = 1 - 2 * tf.cast(mirror, tf.float64)
    center_x, center_y = (width - 1) / 2, (height - 1) / 2
    a0 = sign * scale_x * tf.cos(angle)
    a1 = -sign * scale_x * tf.sin(angle) * (width / height)
    b0 = scale_y * tf.sin(angle) * (height / width)
    b1 = scale_y * tf.cos(angle)
    a2 = center_x + sign * shift_columns - a0 * center_x - a1 * center_y
    b2 = center_y + shift_rows - b0 * center_x - b1 * center_y
    return tf.stack([a0, a1, a2, b0, b1, b2], axis=1)


def _bilinear_taps(
    affine: tf.Tensor, images: tf.Tensor
) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """Returns the rows of `_to_rows` that each output row mixes, and their weights.

    Returns:
        Four pairs, one for each corner around the sampled points: `[g * h * w]` int32
        row numbers, and `[g * h * w, 1]` weights of `images`' dtype.
    """
    groups, _, height, width, _ = tf.unstack(tf.shape(images))
    x = tf.cast(tf.range(width), affine.dtype)
    y = tf.cast(tf.range(height), affine.dtype)[:, None]
    a0, a1, a2, b0, b1, b2 = tf.unstack(affine[:, :, None, None], axis=1)
    first_row = tf.range(groups)[:, None, None] * (height * width)
    columns = _linear_taps(a0 * x + (a1 * y + a2), width, images.dtype)
    lines = _linear_taps(b0 * x + (b1 * y + b2), height, images.dtype)
    return [
        (
            tf.reshape(first_row + line * width + column, [-1]),
            tf.reshape(line_weight * column_weight, [-1, 1]),
        )
        for line, line_weight in lines
        for column, column_weight in columns
    ]


def _linear_taps(
    coordinate: tf.Tensor, size: tf.Tensor, dtype: tf.DType
) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """Returns the two pixels around each coordinate along one axis, and their weights.

    A pixel outside `[0, size)` gets weight 0 and is replaced by a pixel inside.
    """
    below = tf.floor(coordinate)
    fraction = coordinate - below
    taps = []
    for pixel, weight in ((below, 1 - fraction), (below + 1, fraction)):
        # Clipped before the cast, because a distant point would overflow the integer.
        inside = tf.clip_by_value(pixel, 0, tf.cast(size - 1, pixel.dtype))
        weight = tf.where(inside == pixel, weight, 0)
        taps.append((tf.cast(inside, tf.int32), tf.cast(weight, dtype)))
    return taps


def _to_rows(images: tf.Tensor) -> tf.Tensor:
    """Reshapes `[g, n, h, w, c]` to `[g * h * w, n * c]`, one row a position."""
    g, n, h, w, c = tf.unstack(tf.shape(images))
    return tf.reshape(tf.transpose(images, [0, 2, 3, 1, 4]), [g * h * w, n * c])


def _from_rows(rows: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Inverts `_to_rows` for images of `like`'s shape."""
    g, n, h, w, c = tf.unstack(tf.shape(like))
    images = tf.transpose(tf.reshape(rows, [g, h, w, n, c]), [0, 3, 1, 2, 4])
    return tf.ensure_shape(images, like.shape)
