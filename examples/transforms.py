"""What views do to images, in NumPy: crops, CutMix's rectangles, shuffled cells."""

import math

import numpy as np


def resize_boxes(
    images: np.ndarray, boxes: np.ndarray, flips: np.ndarray
) -> np.ndarray:
    """Cuts a box out of each image and resizes it, bilinear with antialiasing.

    Args:
        images: `[n, h, w, c]` float32.
        boxes: `[n, 4]` top, left, height and width, in pixels.
        flips: `[n]` bool, whether the result is mirrored.
    """
    _, height, width, _ = images.shape
    boxes = boxes.astype(np.float32)
    lines = _weights(boxes[:, 0], boxes[:, 2], height)
    across = _weights(boxes[:, 1], boxes[:, 3], width)
    across = np.where(flips[:, None, None], across[:, ::-1], across)
    flat = images.reshape(len(images), height, -1)
    tall = np.matmul(lines, flat).reshape(images.shape)
    return np.einsum("nxw,nywc->nyxc", across, tall, optimize=True)


def _weights(first: np.ndarray, length: np.ndarray, size: int) -> np.ndarray:
    """Returns `[n, size, size]` float32: how much of each pixel is in each new one."""
    first, length = first[:, None, None], length[:, None, None]
    scale = length / np.float32(size)
    place = np.arange(size, dtype=np.float32)
    centre = first + (place[:, None] + np.float32(0.5)) * scale
    distance = np.abs(place + np.float32(0.5) - centre)
    distance /= np.maximum(scale, np.float32(1))
    inside = (place >= first) & (place < first + length)
    weights = np.where(inside, np.maximum(1 - distance, 0), 0).astype(np.float32)
    return weights / weights.sum(axis=-1, keepdims=True)


def paste(
    images: np.ndarray, partners: np.ndarray, cut: np.ndarray
) -> tuple[np.ndarray, np.float32]:
    """Replaces a rectangle of each image by that of its partner (CutMix).

    Args:
        images: `[n, h, w, c]`.
        partners: `[n]` positions in the batch.
        cut: Top, left, bottom and right of the rectangle; empty for no mixing.

    Returns:
        The images, and how much of each is its own.
    """
    top, left, bottom, right = (int(side) for side in cut)
    mixed, area = images.copy(), max(0, bottom - top) * max(0, right - left)
    mixed[:, top:bottom, left:right] = images[partners, top:bottom, left:right]
    return mixed, np.float32(1 - area / (images.shape[1] * images.shape[2]))


def draw_cut(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Draws CutMix's rectangle, whose area is uniform before it is clipped."""
    side, place = math.sqrt(rng.random()), rng.random(2)
    spans = []
    for length, where in ((height, place[0]), (width, place[1])):
        half, centre = int(length * side) // 2, int(where * length)
        spans.append((max(centre - half, 0), min(centre + half, length)))
    (top, bottom), (left, right) = spans
    return np.array([top, left, bottom, right])


def draw_boxes(
    rng: np.random.Generator, count: int, height: int, width: int, smallest: float
) -> np.ndarray:
    """Draws crops of a share of the area, and a ratio from 3/4 to 4/3, ten tries each.

    Returns:
        `[count, 4]` top, left, height and width.
    """
    return np.array([_box(rng, height, width, smallest) for _ in range(count)])


def _box(
    rng: np.random.Generator, height: int, width: int, smallest: float
) -> tuple[int, int, int, int]:
    widest = math.log(4 / 3)
    for _ in range(10):
        area = height * width * rng.uniform(smallest, 1)
        ratio = math.exp(rng.uniform(-widest, widest))
        rows, columns = (round(math.sqrt(area * r)) for r in (1 / ratio, ratio))
        if 0 < rows <= height and 0 < columns <= width:
            top = int(rng.integers(height - rows + 1))
            return top, int(rng.integers(width - columns + 1)), rows, columns
    # The largest central one of such a ratio.
    rows = min(height, round(width * 4 / 3))
    columns = min(width, round(height * 4 / 3))
    return (height - rows) // 2, (width - columns) // 2, rows, columns


def shuffle_cells(
    images: np.ndarray, rng: np.random.Generator, factor: int
) -> np.ndarray:
    """Permutes columns, then rows of cells, of each image by itself."""
    count, height, width, channels = images.shape
    cells = images.reshape(
        count, factor, height // factor, factor, width // factor, channels
    )
    columns, rows = (np.argsort(rng.random([count, factor])) for _ in range(2))
    each = np.arange(count)[:, None, None]
    moved = cells.transpose(0, 1, 3, 2, 4, 5)[
        each, rows[:, :, None], columns[:, None, :]
    ]
    return moved.transpose(0, 1, 3, 2, 4, 5).reshape(images.shape)
