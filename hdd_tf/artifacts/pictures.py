"""Pictures of image grids, one row a class, on as many pages as are readable."""

import io
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw

from hdd_tf.artifacts.drawing.drawn_text import (
    LINE,
    draw_line,
    short_names,
    text_width,
    title_strip,
)
from hdd_tf.artifacts.drawing.page_layout import GAP, MOST_TITLE_LINES, PageLayout
from hdd_tf.files import atomic

# Pages of one picture; classes beyond the last one are left out, and the title says so.
MOST_PAGES = 10
_BACKGROUND = 255
_LABEL_PADDING = 4
_LEAST_TITLE = 260


def grid_array(
    images: np.ndarray,
    label_names: Sequence[str] | None = None,
    title: str = "",
) -> np.ndarray:
    """Returns the first page of `pages`.

    Args:
        images: As in `pages`.
        label_names: As there.
        title: As there.
    """
    return next(pages(images, label_names, title, most=1))


def pages(
    images: np.ndarray,
    label_names: Sequence[str] | None = None,
    title: str = "",
    most: int = MOST_PAGES,
) -> Iterator[np.ndarray]:
    """Lays images out in rows and columns, a page at a time.

    Args:
        images: `[rows, columns, h, w, c]` on the 0-255 scale, c = 1 or 3. The pictures
            show values outside the range clipped.
        label_names: Names to write to the left of the rows; None writes no names.
        title: Written above each page, with what is left out; "" writes nothing.
        most: Largest number of pages.

    Yields:
        `[height, width, 3]` uint8, one or more pages.

    Raises:
        ValueError: `images` has another shape, or there are fewer names than rows.
    """
    if images.ndim != 5 or images.shape[-1] not in (1, 3) or not images.size:
        raise ValueError(
            "`images` must be [rows, columns, h, w, 1 or 3] and not empty. "
            f"Received: {images.shape}."
        )
    rows = len(images)
    if label_names and len(label_names) < rows:
        raise ValueError(f"`label_names` must be {rows} or more, not {label_names}.")
    labels = short_names(label_names[:rows]) if label_names else []
    margin = max(map(text_width, labels)) + 2 * _LABEL_PADDING if labels else 0
    layout = PageLayout.of(images.shape, margin, bool(title))
    count = min(most, -(-rows // layout.capacity))
    for page in range(count):
        first = page * layout.capacity
        last = min(first + layout.capacity, rows)
        grid = _page(images[first:last], labels[first:last], layout)
        if title:
            shown = _shown(images.shape, layout, first, last, page, count)
            grid = _titled(grid, title + shown)
        yield grid


def save_grid(
    path: str | os.PathLike,
    images: np.ndarray,
    label_names: Sequence[str] | None = None,
    title: str = "",
    most: int = 1,
) -> None:
    """Writes `pages` as PNG files: NAME.png, NAME_page2.png, ...

    Args:
        path: The first page's file. Further pages of an earlier picture are removed.
        images: As in `pages`.
        label_names: As there.
        title: As there.
        most: As there.
    """
    first = pathlib.Path(path)
    written = 0
    # One page in memory at a time.
    for grid in pages(images, label_names, title, most):
        written += 1
        atomic.write_bytes(_page_file(first, written), _png(grid))
    for number in range(written + 1, MOST_PAGES + 1):
        _page_file(first, number).unlink(missing_ok=True)


def _page_file(first: pathlib.Path, number: int) -> pathlib.Path:
    suffix = f"_page{number}" if number > 1 else ""
    return first.with_name(f"{first.stem}{suffix}{first.suffix}")


def _png(grid: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(grid).save(buffer, format="PNG")
    return buffer.getvalue()


def _shown(
    shape: Sequence[int],
    layout: PageLayout,
    first: int,
    last: int,
    page: int,
    count: int,
) -> str:
    """Says what a page leaves out; empty where it shows everything."""
    rows, columns = shape[:2]
    found = ""
    if last - first < rows:
        found += f"; classes {first + 1:,}-{last:,} of {rows:,}"
        found += f" (page {page + 1} of {count})" if count > 1 else ""
    if layout.columns < columns:
        found += f"; the first {layout.columns:,} of {columns:,} images of each class"
    return found


def _page(images: np.ndarray, labels: Sequence[str], layout: PageLayout) -> np.ndarray:
    """Draws the blocks of a page side by side."""
    starts = range(0, len(images), layout.block)
    grid = np.empty(0)
    for number, k in enumerate(starts):
        rows = slice(k, k + layout.block)
        block = _block(images[rows], labels[rows], layout)
        height, width = block.shape[:2]
        if not number:  # The others are as wide, and none is higher.
            shape = (height, len(starts) * width, 3)
            grid = np.full(shape, _BACKGROUND, np.uint8)
        grid[:height, number * width : (number + 1) * width] = block
    return grid


def _block(images: np.ndarray, labels: Sequence[str], layout: PageLayout) -> np.ndarray:
    """Draws classes below each other, with their names."""
    images = images[:, : layout.columns]
    rows, columns = images.shape[:2]
    cells = _to_uint8(images).repeat(layout.factor, axis=2)
    cells = cells.repeat(layout.factor, axis=3)
    cells = np.broadcast_to(cells, (*cells.shape[:4], 3))
    # Each cell gets a gap on its right and below; the grid adds those left and above.
    cells = np.pad(
        cells,
        [(0, 0), (0, 0), (0, GAP), (0, GAP), (0, 0)],
        constant_values=_BACKGROUND,
    )
    grid = cells.transpose(0, 2, 1, 3, 4).reshape(
        rows * cells.shape[2], columns * cells.shape[3], 3
    )
    left = GAP + layout.margin
    grid = np.pad(grid, [(GAP, 0), (left, 0), (0, 0)], constant_values=_BACKGROUND)
    return (
        _write_labels(grid, labels, layout.margin, cells.shape[2]) if labels else grid
    )


def _titled(grid: np.ndarray, title: str) -> np.ndarray:
    """Returns a grid below its title, as wide as the title needs."""
    room = max(0, _LEAST_TITLE - grid.shape[1])
    if room:  # Of nothing it would be a copy.
        grid = np.pad(grid, [(0, 0), (0, room), (0, 0)], constant_values=_BACKGROUND)
    strip = title_strip(title, grid.shape[1])
    return np.concatenate([strip[: LINE * MOST_TITLE_LINES], grid])


def _to_uint8(images: np.ndarray) -> np.ndarray:
    finite = np.nan_to_num(images, nan=0.0, posinf=255.0, neginf=0.0)
    return np.rint(np.clip(finite, 0.0, 255.0)).astype(np.uint8)


def _write_labels(
    grid: np.ndarray, labels: Sequence[str], margin: int, row_height: int
) -> np.ndarray:
    picture = Image.fromarray(grid)
    draw = ImageDraw.Draw(picture)
    for row, label in enumerate(labels):
        middle = GAP + row * row_height + (row_height - GAP) // 2
        draw_line(draw, margin - _LABEL_PADDING - text_width(label), middle, label)
    return np.asarray(picture)
