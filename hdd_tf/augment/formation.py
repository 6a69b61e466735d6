"""Several training images in one stored image: partition and multi-formation.

A stored image is a grid of `factor` x `factor` cells. Decoding cuts the cells out and
enlarges each to the size of a whole image, so the same number of stored pixels trains
a network as `factor ** 2` times as many images.

Source: Kim et al., "Dataset Condensation via Efficient Synthetic-Data
Parameterization" (IDC), ICML 2022, section 4.1; "partition and expansion" in Zhao et
al., "Improved Distribution Matching" (IDM), CVPR 2023, section 3.2.
"""

import tensorflow as tf


def decode(
    images: tf.Tensor, factor: int, padding: float | tf.Tensor = 0.5
) -> tf.Tensor:
    """Cuts images into cells and enlarges each, bilinearly, to a whole image.

    Args:
        images: `[..., n, h, w, c]` float tensor with static shape.
        factor: Cells along each side, >= 1.
        padding: Value of the pixels added at the bottom and the right of sides that
            `factor` does not divide: a scalar, or `[c]`, one value a channel.

    Returns:
        `[..., factor ** 2 * n, h, w, c]` tensor of `images`' dtype: first the top left
        cell of all n images, then the cell to its right, and so on row by row.
    """
    if factor == 1:
        return images
    *leading, n, height, width, channels = images.shape
    rows, columns = -(-height // factor), -(-width // factor)
    flat = tf.reshape(images, [-1, height, width, channels])
    if (rows * factor, columns * factor) != (height, width):
        # `tf.pad` fills with zeros, so the distance from the padding is padded.
        padding = tf.cast(padding, images.dtype)
        bottom, right = rows * factor - height, columns * factor - width
        grow = [[0, 0], [0, bottom], [0, right], [0, 0]]
        flat = tf.pad(flat - padding, grow) + padding
    cells = tf.reshape(flat, [-1, n, factor, rows, factor, columns, channels])
    cells = tf.transpose(cells, [0, 2, 4, 1, 3, 5, 6])
    cells = tf.reshape(cells, [-1, rows, columns, channels])
    enlarged = tf.image.resize(cells, (height, width), "bilinear")
    shape = [*leading, factor**2 * n, height, width, channels]
    return tf.reshape(tf.cast(enlarged, images.dtype), shape)


def compose(images: tf.Tensor, factor: int, method: str) -> tf.Tensor:
    """Shrinks images and lays them out as the cells of stored images.

    Args:
        images: `[n, factor ** 2, h, w, c]` float tensor with static shape; the cells of
            each stored image are in row-major order.
        factor: Cells along each side, >= 1. If `factor` does not divide a side, the
            first cells are one pixel longer.
        method: `bilinear` without antialiasing (IDM's initial images), or `nearest`
            (`mix`, the initial images of IDC and DANCE).

    Returns:
        `[n, h, w, c]` tensor of `images`' dtype.
    """
    if factor == 1:
        return images[:, 0]
    height, width = images.shape[2:4]
    rows = []
    for row, cell_height in enumerate(_cell_lengths(height, factor)):
        cells = [
            _shrink(images[:, row * factor + column], cell_height, cell_width, method)
            for column, cell_width in enumerate(_cell_lengths(width, factor))
        ]
        rows.append(tf.concat(cells, axis=2))
    return tf.concat(rows, axis=1)


def _cell_lengths(side: int, factor: int) -> list[int]:
    length, longer = divmod(side, factor)
    return [length + 1] * longer + [length] * (factor - longer)


def _shrink(images: tf.Tensor, height: int, width: int, method: str) -> tf.Tensor:
    if method == "bilinear":
        small = tf.image.resize(images, (height, width), "bilinear")
        return tf.cast(small, images.dtype)
    # Pixel i of the small image is pixel floor(i * scale) of the large one, as in the
    # released programs; TensorFlow's own nearest neighbour takes cell centres.
    for axis, length in ((1, height), (2, width)):
        scale = images.shape[axis] / length
        pixels = [int(index * scale) for index in range(length)]
        images = tf.gather(images, pixels, axis=axis)
    return images
