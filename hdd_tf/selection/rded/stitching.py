"""Stitching of crops into images, and the JPEG that RDED's program keeps them as."""

import io

import numpy as np
from PIL import Image

# The defaults of the library that the program writes with: quality, and 4:2:0.
_QUALITY, _SUBSAMPLING = 75, 2


def stitch(parts: np.ndarray, factor: int, height: int, width: int) -> np.ndarray:
    """Stitches factor x factor parts into each image.

    Cell k of an image, counted row by row, holds part `k * n + image`: the first n
    parts are the first cells of all images. If the factor does not divide a side, the
    first cells along it are a pixel longer, by repeated pixels.

    Args:
        parts: `[n * factor^2, h, w, c]`, the best part first.
        factor: Parts along each side of an image, >= 1.
        height: Rows of the images.
        width: Columns of the images.

    Returns:
        `[n, height, width, c]` of the parts' dtype.
    """
    count = len(parts) // factor**2
    cells = parts.reshape(factor, factor, count, *parts.shape[1:])
    heights, widths = _lengths(height, factor), _lengths(width, factor)
    lines = [
        np.concatenate(
            [_enlarged(*each, rows) for each in zip(line, widths, strict=True)], axis=2
        )
        for line, rows in zip(cells, heights, strict=True)
    ]
    return np.concatenate(lines, axis=1)


def through_jpeg(images: np.ndarray) -> np.ndarray:
    """Returns images as they come back from a JPEG of the program's quality.

    Args:
        images: `[n, h, w, c]` uint8, with 1 or 3 channels.
    """
    return np.stack([_one_through_jpeg(image) for image in images])


def _one_through_jpeg(image: np.ndarray) -> np.ndarray:
    gray = image.shape[-1] == 1
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if gray else image).save(
        file, "JPEG", quality=_QUALITY, subsampling=_SUBSAMPLING
    )
    decoded = np.asarray(Image.open(file))
    return decoded[..., None] if gray else decoded


def _lengths(size: int, factor: int) -> list[int]:
    """Returns the pixels of each cell along a side."""
    short, longer = divmod(size, factor)
    return [short + (cell < longer) for cell in range(factor)]


def _enlarged(images: np.ndarray, width: int, height: int) -> np.ndarray:
    """Returns `[n, h, w, c]` images enlarged to the nearest pixel."""
    rows = np.arange(height) * images.shape[1] // height
    columns = np.arange(width) * images.shape[2] // width
    return images[:, rows][:, :, columns]
