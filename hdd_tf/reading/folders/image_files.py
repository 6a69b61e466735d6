"""Decodes image files into arrays: values, channels and size."""

import os
import pathlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps

from hdd_tf.data.memory import empty_images
from hdd_tf.reading.folders.image_headers import (
    ImageHeader,
    header_of,
    is_deep,
    is_gray,
    opened,
    quiet,
    unusable,
    zero_is_white,
)

_Result = TypeVar("_Result")
# How many of 16 bits cameras and scanners use.
_USUAL_BITS = (8, 10, 12, 14)
# Files that are handed to threads at a time; at the end of these some wait for others.
_WAITING = 4096
# A head is read in less time than a thread takes to be told of it.
_HEADS_OF_A_CALL = 64


def read_image(
    path: str | os.PathLike,
    channels: int,
    size: tuple[int, int] | None = None,
    bits: int = 16,
) -> np.ndarray:
    """Decodes an image file.

    Transparency is dropped, the first of several frames is used, and the camera's
    orientation is applied.

    Args:
        path: The file.
        channels: 1 for gray, 3 for RGB.
        size: Height and width to fit the image to, see `fit_image`; None keeps its own.
        bits: How many bits the values of gray images with 16 have; the upper 8 of them
            are read.

    Returns:
        `[h, w, channels]` uint8.

    Raises:
        InputError: the file cannot be decoded.
    """
    return _decode(path, channels, size, bits)[0]


def read_images(
    paths: Sequence[pathlib.Path],
    channels: int,
    *sizes: tuple[int, int],
    bits: int = 16,
    on_transparent: Callable[[pathlib.Path], object] = lambda path: None,
) -> np.ndarray:
    """Decodes image files in their order, several at a time.

    Args:
        paths: The files.
        channels: 1 for gray, 3 for RGB.
        *sizes: Heights and widths to fit each image to, one after the other, see
            `fit_image`.
        bits: As in `read_image`.
        on_transparent: Called with each file that has transparent parts, in order.

    Returns:
        `[n, h, w, channels]` uint8 of the last size.

    Raises:
        InputError: a file cannot be decoded.
    """
    first, *later = sizes
    images = empty_images((len(paths), *sizes[-1], channels))

    def read(row: int) -> bool:
        image, is_transparent = _decode(paths[row], channels, first, bits)
        for size in later:
            image = fit_image(image, size)
        images[row] = image
        return is_transparent

    def note(row: int, is_transparent: bool) -> None:
        if is_transparent:
            on_transparent(paths[row])

    _for_each(len(paths), read, note)
    return images


def read_headers(paths: Sequence[pathlib.Path]) -> list[ImageHeader]:
    """Reads the headers of image files in their order, several at a time.

    Args:
        paths: The files.

    Raises:
        InputError: a file is not an image, or its kind of image is not supported.
    """
    headers: list[ImageHeader] = []

    def read(number: int) -> list[ImageHeader]:
        first = number * _HEADS_OF_A_CALL
        return [header_of(path) for path in paths[first : first + _HEADS_OF_A_CALL]]

    def keep(number: int, found: list[ImageHeader]) -> None:
        del number  # They come in their order.
        headers.extend(found)

    _for_each(-(-len(paths) // _HEADS_OF_A_CALL), read, keep)
    return headers


def used_bits(paths: Sequence[pathlib.Path], noted: set[int]) -> int:
    """Returns how many of their 16 bits the values of gray images use.

    Args:
        paths: Files of such images.
        noted: Numbers of bits that files state themselves. They may state more than is
            stored, and fewer: a decoder may have scaled the values up.

    Returns:
        8, 10, 12, 14 or what was noted, if no value of any image is larger; else 16.

    Raises:
        InputError: a file cannot be decoded.
    """
    candidates = (max(noted),) if noted else _USUAL_BITS
    largest = 0

    def find(row: int) -> int:
        # None of the others can make a difference.
        return 0 if largest >> candidates[-1] else _largest_value(paths[row])

    def keep(row: int, value: int) -> None:
        nonlocal largest
        largest = max(largest, value)

    _for_each(len(paths), find, keep)
    return next((bits for bits in candidates if not largest >> bits), 16)


def _for_each(
    count: int, work: Callable[[int], _Result], then: Callable[[int, _Result], None]
) -> None:
    """Calls `work` of each row in threads, and `then` of its results in order."""
    # Pillow decodes outside Python's lock.
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        # Here, for the list of filters is one for all threads.
        with quiet():
            # A million of calls that wait would take a gigabyte.
            for first in range(0, count, _WAITING):
                rows = range(first, min(first + _WAITING, count))
                for row, result in zip(rows, pool.map(work, rows), strict=True):
                    then(row, result)
    finally:
        # A damaged file or a signal need not wait for all the other files.
        pool.shutdown(cancel_futures=True)


def fit_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scales an image to the least size that covers `size`, and cuts out its centre.

    For a square size, the short side of the image is scaled to it. Scaling is bilinear
    with antialiasing. Centre and rounding are those of torchvision's Resize and
    CenterCrop, which the published programs use. An image of that size is unchanged.

    Args:
        image: `[h, w, c]` uint8.
        size: Height and width.

    Returns:
        `[*size, c]` uint8.
    """
    if image.shape[:2] == size:
        return image
    if image.shape[-1] == 3:
        return np.asarray(_fit(Image.fromarray(image), size))
    planes = [Image.fromarray(image[..., c]) for c in range(image.shape[-1])]
    return np.stack([np.asarray(_fit(plane, size)) for plane in planes], axis=-1)


def _fit(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    height, width = size
    if image.size == (width, height):
        return image
    # In whole numbers, so that one side is met exactly and the other never missed.
    if height * image.width >= width * image.height:
        scaled = height * image.width // image.height, height
    else:
        scaled = width, width * image.height // image.width
    image = image.resize(scaled, Image.Resampling.BILINEAR)
    left = round((scaled[0] - width) / 2)
    top = round((scaled[1] - height) / 2)
    return image.crop((left, top, left + width, top + height))


def _decode(
    path: str | os.PathLike, channels: int, size: tuple[int, int] | None, bits: int
) -> tuple[np.ndarray, bool]:
    """Returns what `read_image` does, and whether the image has transparent parts."""
    try:
        with opened(path) as image:
            is_gray(image)  # Raises for pixels that cannot be converted.
            image.load()
            # It knows all places where an orientation may be noted. TIFF files are
            # turned when they are loaded, and some Pillows would turn them twice.
            if image.format != "TIFF":
                ImageOps.exif_transpose(image, in_place=True)
            is_transparent = _has_transparent_parts(image)
            converted = _to_channels(image, channels, bits)
            array = np.asarray(_fit(converted, size) if size else converted)
    except Exception as error:
        raise unusable(path, error) from error
    return (array if array.ndim == 3 else array[..., None]), is_transparent


def _largest_value(path: str | os.PathLike) -> int:
    try:
        with opened(path) as image:
            return int(np.asarray(image).max())
    except Exception as error:
        raise unusable(path, error) from error


def _to_channels(image: Image.Image, channels: int, bits: int) -> Image.Image:
    if is_deep(image):
        # Pillow would cut values off instead of scaling them.
        values = np.asarray(image).astype(np.uint16)
        if zero_is_white(image):
            values = np.uint16(2**bits - 1) - values
        image = Image.fromarray((values >> (bits - 8)).astype(np.uint8))
    elif image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # Directly to RGB, Pillow warns.
    return image.convert("L" if channels == 1 else "RGB")


def _has_transparent_parts(image: Image.Image) -> bool:
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        opacity = image.getchannel("A" if image.mode[-1] == "A" else "a")
    elif "transparency" not in image.info:
        return False
    elif is_deep(image):
        return bool((np.asarray(image) == image.info["transparency"]).any())
    else:
        opacity = image.convert("RGBA").getchannel("A")
    return bool(np.asarray(opacity).min() < 255)
