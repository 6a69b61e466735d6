"""Checks of images and labels that are given as arrays."""

from collections.abc import Iterable, Mapping, Set
from typing import Any

import numpy as np

from hdd_tf.data.dataset import LabelledImages
from hdd_tf.errors import InputError, warn

# Largest values that scanners and cameras give, beside 255, by the number of bits.
_DEPTHS = {bits: 2**bits - 1 for bits in (10, 12, 14, 16)}
# Whole numbers up to this are on a scale of their own, such as 0-16 or 0-15.
_DARKEST = 31


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
    labels = as_array(labels, title)
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
    if images.dtype == np.uint8:
        return images.astype(np.float32)
    _check_numbers(images, title)
    low, high = float(images.min()), float(images.max())
    # Single values of distilled images may lie far outside. Their mean does not, and
    # neither do whole sets lie about zero.
    mean = float(images.mean(dtype=np.float64))
    about_zero = low < 0 and max(-low, high) < _DARKEST
    if max(-low, high) <= 1 or about_zero or not -255 <= mean <= 510:
        raise _wrong_scale(images, title)
    if np.issubdtype(images.dtype, np.integer) and high > 255:
        raise _wrong_scale(images, title)
    return images.astype(np.float32)


def _as_images(images: Any, title: str) -> np.ndarray:
    images = _as_four_dimensions(images, title)
    if images.dtype == np.uint8:
        _warn_if_dark(images, title)
        return images
    _check_numbers(images, title)
    # A largest value of 1 in another type than uint8 means black and white on the 0-1
    # scale; taken as 0-255 it would be black and nearly black.
    if images.min() >= 0 and 1 < images.max() <= 255:
        converted = images.astype(np.uint8)
        if np.array_equal(converted, images):
            _warn_if_dark(images, title)
            return converted
    raise _wrong_scale(images, title)


def _warn_if_dark(images: np.ndarray, title: str) -> None:
    if images.size and 0 < images.max() <= _DARKEST:
        warn(
            f"{title} are at most {int(images.max())} and taken for dark ones on the "
            "0-255 scale; if that is white, give them times "
            f"{255 // int(images.max())}."
        )


def _wrong_scale(images: np.ndarray, title: str) -> InputError:
    """Returns what is said of numbers that are not on the 0-255 scale."""
    low, high = float(images.min()), float(images.max())
    whole = np.array_equal(images, np.rint(images))
    if images.dtype == np.bool_:
        mend = "give 255 * images.astype('uint8')"
    elif low >= 0 and high <= 1:
        mend = "convert the 0-1 scale by (255 * images).round().astype('uint8')"
    elif low >= -1 and high <= 1:
        mend = (
            "convert the -1 to 1 scale by "
            "(127.5 * (images + 1)).round().astype('uint8')"
        )
    elif low < 0 and max(-low, high) < _DARKEST:
        mend = (
            "if they are normalised, undo it by (255 * (images * std + "
            "mean)).round().clip(0, 255).astype('uint8')"
        )
    elif images.dtype == np.int8:
        mend = "give (images.astype(int) + 128).astype('uint8')"
    elif low < 0 and high < 512:
        mend = "round and clip them by images.round().clip(0, 255).astype('uint8')"
    elif low >= 0 and _DARKEST < high <= 255:
        mend = "round them by images.round().astype('uint8')"
    elif low >= 0 and whole and high <= _DEPTHS[16]:
        bits = next(bits for bits, top in _DEPTHS.items() if high <= top)
        mend = (
            f"convert {bits} bits by (images * (255 / {_DEPTHS[bits]}))"
            ".round().astype('uint8')"
        )
    else:
        mend = "bring their white to 255, round them, and give .astype('uint8')"
    return InputError(
        f"{title} must be uint8 on the 0-255 scale, but are {images.dtype} from "
        f"{low:.6g} to {high:.6g}: {mend}"
    )


def _as_four_dimensions(images: Any, title: str) -> np.ndarray:
    images = as_array(images, title)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or not images.size:
        in_each = images.dtype == object and images.ndim == 1 and images.size
        mend = ": give np.stack(list(images)) if all are of one size" if in_each else ""
        raise InputError(
            f"{title} must be [n, h, w, c] or [n, h, w] and not empty, but have shape "
            f"{images.shape}{mend}."
        )
    # PyTorch's order. More than 4 channels are no picture that is known here.
    if images.shape[1] <= 4 < images.shape[-1]:
        raise InputError(
            f"{title} of shape {images.shape} look channels-first, and [n, h, w, c] is "
            "needed: give np.transpose(images, (0, 2, 3, 1))"
        )
    return images


def _check_numbers(images: np.ndarray, title: str) -> None:
    if images.dtype != np.bool_ and (
        not np.issubdtype(images.dtype, np.number) or np.iscomplexobj(images)
    ):
        mend = ": give .astype('float32')" if images.dtype == object else ""
        raise InputError(f"{title} must be numbers, but are {images.dtype}{mend}.")
    if not np.isfinite(images).all():
        raise InputError(f"{title} are not finite: some values are NaN or infinite.")


def as_array(values: Any, title: str) -> np.ndarray:
    """Returns an array of anything that NumPy takes for one.

    Raises:
        InputError: NumPy does not, or some values are masked.
    """
    if np.ma.is_masked(values):  # NumPy would take what lies below the mask.
        raise InputError(
            f"{title} have masked values: leave them out, or give {title}.filled(VALUE)"
        )
    try:
        array = np.asarray(values)
    # Rows of different lengths, for example, or tensors that record gradients.
    except (TypeError, ValueError, RuntimeError) as error:
        mend = ""
        if hasattr(values, "detach"):  # A tensor of PyTorch.
            mend = f": give {title}.detach().cpu().float().numpy()"
        raise InputError(f"{title} are no array: {str(error)[:200]}{mend}") from error
    if array.ndim == 0 and (array.dtype == object or isinstance(values, (str, bytes))):
        raise InputError(f"{title} are no array but {_kind(values)}: {_mend(values)}")
    # Such as bfloat16, which NumPy itself does not call numbers.
    if array.dtype.kind == "V" and np.can_cast(array.dtype, np.float32):
        return array.astype(np.float32)
    return array


def _kind(values: Any) -> str:
    """Returns what a value is called that is no array."""
    return "None" if values is None else f"a {type(values).__name__}"


def _mend(values: Any) -> str:
    """Returns what makes an array of a value that NumPy keeps as one object."""
    if isinstance(values, (str, bytes)):
        return "give a value for each image"
    if isinstance(values, (Mapping, Set)):
        return "give the values as one list, in the order of the images"
    if hasattr(values, "as_numpy_iterator"):  # tf.data.Dataset
        return "images, labels = map(np.stack, zip(*dataset.as_numpy_iterator()))"
    if isinstance(values, Iterable):
        return "give np.stack(list(...)) of it"
    return "give a NumPy array"
