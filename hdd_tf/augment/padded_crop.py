"""Crops of padded images: shifts by whole pixels, with a constant beyond the edges."""

import tensorflow as tf

from hdd_tf.random_keys import derive_key

# The streams of random numbers under a draw's key.
_ROW, _COLUMN = 0, 1


def draw_offsets(key: tf.Tensor, count: int | tf.Tensor, padding: int) -> tf.Tensor:
    """Draws the window of each image, uniform over all places.

    Args:
        key: `[2]` int32 key; the draw depends on the key alone.
        count: Number of images.
        padding: Pixels of padding on every side, >= 0.

    Returns:
        `[count, 2]` int32: first row and first column of the windows within the padded
        images, from 0 to `2 padding`. `padding` in both is the image as it is.
    """
    parts = [
        tf.random.stateless_uniform(
            [count], derive_key(key, stream), 0, 2 * padding + 1, tf.int32
        )
        for stream in (_ROW, _COLUMN)
    ]
    return tf.stack(parts, axis=1)


def crop_padded(images: tf.Tensor, offsets: tf.Tensor, padding: int) -> tf.Tensor:
    """Pads images with zeros, and cuts a window of the images' own size out of each.

    Args:
        images: `[n, h, w, c]` of any dtype.
        offsets: `[n, 2]` int32, see `draw_offsets`.
        padding: Pixels of padding on every side, >= 0.

    Returns:
        `[n, h, w, c]` of the images' dtype.
    """
    height, width = images.shape[1:3]
    sides = [padding, padding]
    padded = tf.pad(images, [[0, 0], sides, sides, [0, 0]])
    rows = offsets[:, :1] + tf.range(height)
    columns = offsets[:, 1:] + tf.range(width)
    lines = tf.gather(padded, rows, batch_dims=1)
    # The windows of one image share their columns.
    turned = tf.gather(tf.transpose(lines, [0, 2, 1, 3]), columns, batch_dims=1)
    return tf.transpose(turned, [0, 2, 1, 3])
