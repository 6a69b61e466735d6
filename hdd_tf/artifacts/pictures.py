"""Pictures of image grids, one row a class."""

import io
import math
import os
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hdd_tf.files import atomic

# The longest side of a grid in pixels; rows and columns that do not fit are left out.
# 100 classes of 50 images of 32x32 still fit, without enlargement.
_MAX_SIDE = 3500
# Bounds on the enlargement of small grids, in pixels of a cell and of the longer side.
_COMFORTABLE_CELL = 96
_COMFORTABLE_SIDE = 1200
_GAP = 2
_BACKGROUND = 255
_LABEL_LENGTH = 16
_LABEL_PADDING = 4


def grid_array(
    images: np.ndarray, label_names: Sequence[str] | None = None
) -> np.ndarray:
    """Lays images out in rows and columns.

    Args:
        images: `[rows, columns, h, w, c]` on the 0-255 scale, c = 1 or 3. The picture
            shows values outside the range clipped.
        label_names: Names to write to the left of the rows; None writes no names.

    Returns:
        `[height, width, 3]` uint8.

    Raises:
        ValueError: `images` has another shape, or there are fewer names than rows.
    """
    if images.ndim != 5 or images.shape[-1] not in (1, 3) or not images.size:
        raise ValueError(
            "`images` must be [rows, columns, h, w, 1 or 3] and not empty. "
            f"Received: {images.shape}."
        )
    height, width = images.shape[2:4]
    images = images[: _fitting(height, 0)]
    labels = _label_texts(label_names or [], len(images))
    margin = _label_width(labels)
    images = images[:, : _fitting(width, margin)]
    rows, columns = images.shape[:2]

    factor = _enlargement(rows, columns, height, width)
    cells = _to_uint8(images).repeat(factor, axis=2).repeat(factor, axis=3)
    cells = np.broadcast_to(cells, (*cells.shape[:4], 3))
    # Each cell gets a gap on its right and below; the grid adds those left and above.
    cells = np.pad(
        cells,
        [(0, 0), (0, 0), (0, _GAP), (0, _GAP), (0, 0)],
        constant_values=_BACKGROUND,
    )
    grid = cells.transpose(0, 2, 1, 3, 4).reshape(
        rows * cells.shape[2], columns * cells.shape[3], 3
    )
    grid = np.pad(
        grid, [(_GAP, 0), (_GAP + margin, 0), (0, 0)], constant_values=_BACKGROUND
    )
    return _write_labels(grid, labels, margin, cells.shape[2]) if labels else grid


def save_grid(
    path: str | os.PathLike,
    images: np.ndarray,
    label_names: Sequence[str] | None = None,
) -> None:
    """Writes `grid_array(images, label_names)` as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(grid_array(images, label_names)).save(buffer, format="PNG")
    atomic.write_bytes(path, buffer.getvalue())


def _fitting(cell_side: int, margin: int) -> int:
    """Returns the number of cells that fit side by side, at least one."""
    return max(1, (_MAX_SIDE - margin - _GAP) // (cell_side + _GAP))


def _enlargement(rows: int, columns: int, height: int, width: int) -> int:
    """Returns the integer factor that makes small images visible."""
    longer_side = max(rows * height, columns * width)
    return max(
        1,
        min(_COMFORTABLE_CELL // max(height, width), _COMFORTABLE_SIDE // longer_side),
    )


def _to_uint8(images: np.ndarray) -> np.ndarray:
    finite = np.nan_to_num(images, nan=0.0, posinf=255.0, neginf=0.0)
    return np.rint(np.clip(finite, 0.0, 255.0)).astype(np.uint8)


def _label_texts(label_names: Sequence[str], rows: int) -> list[str]:
    if label_names and len(label_names) < rows:
        raise ValueError(f"`label_names` must be {rows} or more, not {label_names}.")
    texts = []
    for name in label_names[:rows]:
        short = name[: _LABEL_LENGTH - 1] + "~" if len(name) > _LABEL_LENGTH else name
        # The built-in font may lack letters beyond ASCII, and then raises an error.
        texts.append(short.encode("ascii", "replace").decode())
    return texts


def _label_width(labels: Sequence[str]) -> int:
    if not labels:
        return 0
    font = ImageFont.load_default()
    widest = max(font.getlength(label) for label in labels)
    return math.ceil(widest) + 2 * _LABEL_PADDING


def _write_labels(
    grid: np.ndarray, labels: Sequence[str], margin: int, row_height: int
) -> np.ndarray:
    picture = Image.fromarray(grid)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default()
    for row, label in enumerate(labels):
        middle = _GAP + row * row_height + (row_height - _GAP) // 2
        place = (margin - _LABEL_PADDING, middle)
        draw.text(place, label, fill=(0, 0, 0), font=font, anchor="rm")
    return np.asarray(picture)
