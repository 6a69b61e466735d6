"""Permutation of the columns and rows of cells of stitched images.

Source: Sun et al., "On the Diversity and Realism of Distilled Dataset" (RDED), CVPR
2024, and its released program: columns first, then rows.
"""

import tensorflow as tf

from hdd_tf.random_keys import derive_key

# The streams of random numbers under a draw's key.
_COLUMNS, _ROWS = range(2)


def shuffle_cells(images: tf.Tensor, key: tf.Tensor, factor: int) -> tf.Tensor:
    """Permutes the columns and the rows of cells, independently for each image.

    Args:
        images: `[n, h, w, c]` tensor; `factor` divides h and w.
        key: `[2]` int32 key; the draw depends on the key alone.
        factor: Cells along each side, at least 1.

    Returns:
        `[n, h, w, c]` tensor of `images`' dtype.

    Raises:
        ValueError: `factor` does not divide the images' size.
    """
    count = tf.shape(images)[0]
    columns, rows = (
        tf.argsort(
            tf.random.stateless_uniform([count, factor], derive_key(key, stream))
        )
        for stream in (_COLUMNS, _ROWS)
    )
    return permute_cells(images, columns, rows)


def permute_cells(images: tf.Tensor, columns: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Moves column `columns[:, k]` of cells to place k, then row `rows[:, k]`.

    Args:
        images: `[n, h, w, c]` tensor; `factor` divides h and w.
        columns: `[n, factor]` int32 permutations of the columns.
        rows: `[n, factor]` int32 permutations of the rows.

    Returns:
        `[n, h, w, c]` tensor of `images`' dtype.

    Raises:
        ValueError: `factor` does not divide the images' size.
    """
    factor = columns.shape[-1]
    _, height, width, _ = images.shape
    if height % factor or width % factor:
        raise ValueError(f"{factor} cells do not divide {height}x{width} images.")
    new_row = _pixels(rows, height // factor)
    new_column = _pixels(columns, width // factor)
    shuffled = tf.gather(images, new_row, axis=1, batch_dims=1)
    shuffled = tf.gather(shuffled, new_column, axis=2, batch_dims=1)
    return tf.ensure_shape(shuffled, images.shape)


def _pixels(order: tf.Tensor, size: int) -> tf.Tensor:
    """Returns `[n, factor * size]`: the old position of each new row or column."""
    lines = order[:, :, None] * size + tf.range(size)
    return tf.reshape(lines, [-1, order.shape[-1] * size])
