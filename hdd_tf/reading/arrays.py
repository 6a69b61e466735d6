"""Checks of images and labels that are given as arrays."""

from typing import Any

import numpy as np

from hdd_tf.data.dataset import LabelledImages
from hdd_tf.errors import InputError


def labelled_images(images: Any, labels: Any, title: str = "") -> LabelledImages:
    """Returns images and labels of arrays, checked.

    Args:
        images: `[n, h, w, c]` or `[n, h, w]`, uint8. Other numbers are accepted where
            they are whole and plainly on the 0-255 scale.
        labels: `[n]` or `[n, 1]` integers.
        title: What messages put before "images" and "labels", such as `test_`.

    Raises:
        InputError: the arrays cannot be used as they are.
    """
    given = LabelledImages(
        _as_images(images, f"{title}images"), as_labels(labels, f"{title}labels")
    )
    if len(given.images) != len(given.labels):
        raise InputError(
            f"{title}images and {title}labels differ in number: "
            f"{len(given.images)} and {len(given.labels)}."
        )
    return given


def as_labels(labels: Any, title: str = "labels") -> np.ndarray:
    """Returns labels `[n]` int64.

    Args:
        labels: `[n]` or `[n, 1]` integers.
        title: What messages call them.

    Raises:
        InputError: they are something else.
    """
    labels = _array(labels, title)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]  # As keras.datasets gives them.
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(
            f"{title} must be integers of shape [n], but are {labels.dtype} of shape "
            f"{labels.shape}: convert one-hot rows by labels.argmax(axis=1), and "
            "floats by labels.astype('int64')."
        )
    return labels.astype(np.int64)


def as_float_images(images: Any, title: str = "images") -> np.ndarray:
    """Returns images that need not be whole numbers, `[n, h, w, c]` float32.

    Args:
        images: `[n, h, w, c]` or `[n, h, w]` numbers on the 0-255 scale; distilled
            ones may lie outside it.
        title: What messages call them.

    Raises:
        InputError: they are something else, or plainly on another scale.
    """
    images = _as_four_dimensions(images, title)
    numbers = np.issubdtype(images.dtype, np.number) and not np.iscomplexobj(images)
    if not numbers or not np.isfinite(images).all():
        raise InputError(f"{title} must be finite numbers, but are {images.dtype}.")
    if images.dtype != np.uint8 and np.abs(images).max() <= 1:
        raise InputError(
            f"{title} must be on the 0-255 scale, and none is above 1: multiply by 255."
        )
    return images.astype(np.float32)


def _as_images(images: Any, title: str) -> np.ndarray:
    images = _as_four_dimensions(images, title)
    if images.dtype == np.uint8:
        return images
    convertible = np.issubdtype(images.dtype, np.number) and not np.iscomplexobj(images)
    # A largest value of 1 in another type than uint8 means black and white on the 0-1
    # scale; taken as 0-255 it would be black and nearly black.
    if convertible and images.min() >= 0 and 1 < images.max() <= 255:
        converted = images.astype(np.uint8)
        if np.array_equal(converted, images):
            return converted
    raise InputError(
        f"{title} must be uint8 on the 0-255 scale, but are {images.dtype}: convert "
        "the 0-1 scale by (255 * images).round().astype('uint8')."
    )


def _as_four_dimensions(images: Any, title: str) -> np.ndarray:
    images = _array(images, title)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or not images.size:
        raise InputError(
            f"{title} must be [n, h, w, c] or [n, h, w] and not empty, but have shape "
            f"{images.shape}."
        )
    return images


def _array(values: Any, title: str) -> np.ndarray:
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:  # Rows of different lengths, for example.
        raise InputError(f"{title} are no array: {str(error)[:200]}") from error
