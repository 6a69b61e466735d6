"""DSA's transformations of batches in NumPy, with the ranges of the published program.

Zhao and Bilen, "Dataset Condensation with Differentiable Siamese Augmentation", ICML
2021: colour, crop, cutout, flip, scale and rotate.
"""

import math
from collections.abc import Sequence

import numpy as np


def augment(
    images: np.ndarray,
    rng: np.random.Generator,
    always: Sequence[str],
    one_of: Sequence[str],
) -> np.ndarray:
    """Transforms normalised images; what comes in from outside is 0.

    Args:
        images: `[n, h, w, c]` float32.
        rng: What draws the values, for each image.
        always: Names of the transformations that all images get.
        one_of: Names of those of which the batch gets one.
    """
    active = [*always, *([one_of[int(rng.integers(len(one_of)))]] if one_of else [])]
    if "color" in active:
        images = _colour(images, rng)
    if set(active) & {"crop", "flip", "scale", "rotate"}:
        images = _warp(images, rng, active)
    if "cutout" in active:
        images = _cutout(images, rng)
    return images


def _colour(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Adds a brightness, then changes saturation, then contrast."""

    def drawn(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, [len(images), 1, 1, 1]).astype(np.float32)

    images = images + drawn(-0.5, 0.5)
    gray = images.mean(axis=3, keepdims=True)
    images = gray + (images - gray) * drawn(0.0, 2.0)
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    return mean + (images - mean) * drawn(0.5, 1.5)


def _warp(
    images: np.ndarray, rng: np.random.Generator, active: Sequence[str]
) -> np.ndarray:
    """Mirrors, shifts, scales or turns each image: one bilinear warp."""
    count, height, width, _ = images.shape
    ones, zeros = np.ones(count), np.zeros(count)
    sign, scale_x, scale_y, angle, down, right = ones, ones, ones, zeros, zeros, zeros
    if "flip" in active:
        sign = np.where(rng.random(count) < 0.5, -1.0, 1.0)
    if "scale" in active:
        scale_x = rng.uniform(1 / 1.2, 1.2, [count])
        scale_y = rng.uniform(1 / 1.2, 1.2, [count])
    if "rotate" in active:
        angle = rng.uniform(-math.radians(15), math.radians(15), [count])
    if "crop" in active:
        down = _shifts(rng, count, height)
        right = _shifts(rng, count, width)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    x, y = x - (width - 1) / 2, y - (height - 1) / 2

    def of_images(values: np.ndarray) -> np.ndarray:
        return values[:, None, None]

    # A grid in [-1, 1] along both sides is what is scaled and turned.
    cos, sin, ratio = of_images(np.cos(angle)), of_images(np.sin(angle)), width / height
    turned_x, turned_y = cos * x - sin * y * ratio, sin * x / ratio + cos * y
    from_x = of_images(sign) * (of_images(scale_x) * turned_x + of_images(right))
    from_y = of_images(scale_y) * turned_y + of_images(down)
    return _sampled(images, from_y + (height - 1) / 2, from_x + (width - 1) / 2)


def _shifts(rng: np.random.Generator, count: int, side: int) -> np.ndarray:
    """Draws whole pixels up to an eighth of the side, either way."""
    most = int(0.125 * side + 0.5)
    return rng.integers(-most, most + 1, count).astype(np.float64)


def _sampled(images: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Returns the images at places `[n, h, w]` in pixels, bilinear, 0 outside."""
    _, height, width, _ = images.shape
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)])
    y, x = np.clip(y + 1, 0, height + 1), np.clip(x + 1, 0, width + 1)
    top = np.minimum(y.astype(np.int64), height)
    left = np.minimum(x.astype(np.int64), width)
    below, beside = (y - top)[..., None], (x - left)[..., None]
    each = np.arange(len(images))[:, None, None]

    def line(row: np.ndarray) -> np.ndarray:
        return (
            padded[each, row, left] * (1 - beside)
            + padded[each, row, left + 1] * beside
        )

    upper, lower = line(top), line(top + 1)
    return (upper * (1 - below) + lower * below).astype(np.float32)


def _cutout(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sets a square of half of the side to 0, which may reach over the border."""
    count, height, width, _ = images.shape
    inside = []
    for side in (height, width):
        length = int(0.5 * side + 0.5)
        first = rng.integers(0, side + 1 - length % 2, count) - length // 2
        place = np.arange(side)
        inside.append((place >= first[:, None]) & (place < first[:, None] + length))
    cut = inside[0][:, :, None] & inside[1][:, None, :]
    return np.where(cut[..., None], np.float32(0), images)
