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
    if labels.size and all(isinstance(label, (str, bytes)) for label in labels.flat):
        raise InputError(
            f"{title} are text: class_names, labels = "
            "np.unique(labels, return_inverse=True) numbers them."
        )
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        mend = (
            "convert them by labels.astype('int64')"
            if labels.ndim == 1
            else "convert one-hot rows by labels.argmax(axis=1)"
        )
        raise InputError(
            f"{title} must be integers of shape [n], but are {labels.dtype} of shape "
            f"{labels.shape}: {mend}."
        )
    return labels.astype(np.int64)


def mend_of_labels(labels: np.ndarray) -> str:
    """Returns how to mend labels outside 0, ..., C - 1 where that is plain, or nothing.

    Args:
        labels: `[n]` integers.
    """
    starts_at_one = len(labels) > 0 and labels.min() == 1
    return "; give labels - 1 if they start at 1" if starts_at_one else ""


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
    if not _are_real_numbers(images):
        raise InputError(f"{title} must be numbers, but are {images.dtype}.")
    _check_finite(images, title)
    if images.dtype != np.uint8 and np.abs(images).max() <= 1:
        raise InputError(
            f"{title} must be on the 0-255 scale, and none is above 1: multiply by 255."
        )
    return images.astype(np.float32)


def _as_images(images: Any, title: str) -> np.ndarray:
    images = _as_four_dimensions(images, title)
    if images.dtype == np.uint8:
        return images
    convertible = _are_real_numbers(images)
    if convertible:
        _check_finite(images, title)
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
    # PyTorch's order. More than 4 channels are no picture that is known here.
    if images.shape[1] in (1, 3) and images.shape[-1] > 4:
        raise InputError(
            f"{title} of shape {images.shape} look channels-first: give "
            "images.transpose(0, 2, 3, 1)."
        )
    return images


def _are_real_numbers(values: np.ndarray) -> bool:
    return np.issubdtype(values.dtype, np.number) and not np.iscomplexobj(values)


def _check_finite(images: np.ndarray, title: str) -> None:
    if not np.isfinite(images).all():
        raise InputError(f"{title} are not finite: some values are NaN or infinite.")


def _array(values: Any, title: str) -> np.ndarray:
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:  # Rows of different lengths, for example.
        raise InputError(f"{title} are no array: {str(error)[:200]}") from error
