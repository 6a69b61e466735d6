"""Squares of images set to zero."""

import tensorflow as tf

_SIDE = 0.5  # Side of a square, as a fraction of the image's side.


def kept_pixels(cutout: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """Returns a mask of images: 0 inside each group's rectangle, else 1.

    Args:
        cutout: `[g, 4]` int32: top, bottom, left and right of the rectangles; bottom
            and right are exclusive.
        images: `[g, n, h, w, c]` tensor, whose dtype the mask has.

    Returns:
        `[g, 1, h, w, 1]` mask.
    """
    shape = tf.shape(images)
    top, bottom, left, right = tf.unstack(cutout[:, :, None], axis=1)
    row, column = tf.range(shape[2]), tf.range(shape[3])
    in_rows = (row >= top) & (row < bottom)
    in_columns = (column >= left) & (column < right)
    cut = in_rows[:, None, :, None, None] & in_columns[:, None, None, :, None]
    return tf.cast(~cut, images.dtype)


def cut_span(uniform: tf.Tensor, side: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the first row (or column) to cut and the one after the last.

    Args:
        uniform: `[g]` float32 in [0, 1), where the square lies.
        side: Rows (or columns) of the images.

    Returns:
        Two `[g]` int32 tensors; a square may reach over the border, and is cut there.
    """
    length = int(_SIDE * side + 0.5)
    # The centre of an even square lies between pixels, which gives one more place.
    places = side + 1 - length % 2
    first = tf.cast(uniform * places, tf.int32) - length // 2
    return tf.maximum(first, 0), tf.minimum(first + length, side)
