"""Reads image files into arrays: decoding, channels and size."""

import contextlib
import os
import pathlib
import stat
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from hdd_tf.errors import InputError

# What Pillow knows of an image before it decodes it.
_GRAY_MODES = ("1", "L", "LA", "La")
_COLOUR_MODES = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB")
_ORIENTATION = 0x0112


class ImageHeader(NamedTuple):
    """The header of an image file.

    Attributes:
        height: Height in pixels, after the camera's orientation is applied.
        width: Width in pixels, after the camera's orientation is applied.
        gray: True if the image has no colours.
    """

    height: int
    width: int
    gray: bool


def read_header(path: str | os.PathLike) -> ImageHeader:
    """Reads the header of an image file, without decoding the image.

    Args:
        path: The file.

    Raises:
        InputError: the file is not an image, or its kind of image is not supported.
    """
    try:
        _check_file(path)
        with _quiet(), Image.open(path) as image:
            width, height = image.size
            # A camera held upright may store its picture lying on its side.
            if "exif" in image.info and image.getexif().get(_ORIENTATION, 1) >= 5:
                width, height = height, width
            return ImageHeader(height, width, _is_gray(image))
    except Exception as error:
        raise _unusable(path, error) from error


def read_image(
    path: str | os.PathLike, channels: int, size: tuple[int, int] | None = None
) -> np.ndarray:
    """Decodes an image file.

    Transparency is dropped, the first of several frames is used, and the camera's
    orientation is applied.

    Args:
        path: The file.
        channels: 1 for gray, 3 for RGB.
        size: Height and width to fit the image to, see `fit_image`; None keeps its own.

    Returns:
        `[h, w, channels]` uint8.

    Raises:
        InputError: the file cannot be decoded.
    """
    # Pillow documents no exceptions for damaged files: OSError, SyntaxError,
    # ValueError and its own have all been seen.
    try:
        _check_file(path)
        with Image.open(path) as opened:
            image = _to_channels(opened, channels)
            if "exif" in opened.info:
                image = ImageOps.exif_transpose(image)
            array = np.asarray(_fit(image, size) if size else image)
    except Exception as error:
        raise _unusable(path, error) from error
    return array if array.ndim == 3 else array[..., None]


def read_images(
    paths: Sequence[pathlib.Path], channels: int, *sizes: tuple[int, int]
) -> np.ndarray:
    """Decodes image files in their order, several at a time.

    Args:
        paths: The files.
        channels: 1 for gray, 3 for RGB.
        *sizes: Heights and widths to fit each image to, one after the other, see
            `fit_image`.

    Returns:
        `[n, h, w, channels]` uint8 of the last size.

    Raises:
        InputError: a file cannot be decoded.
    """
    first, *later = sizes
    images = np.empty((len(paths), *sizes[-1], channels), np.uint8)

    def read(row: int) -> None:
        image = read_image(paths[row], channels, first)
        for size in later:
            image = fit_image(image, size)
        images[row] = image

    # Pillow decodes outside Python's lock.
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        # Here, for the list of filters is one for all threads.
        with _quiet():
            for _ in pool.map(read, range(len(paths))):
                pass
    finally:
        # A damaged file or a signal need not wait for all the other files.
        pool.shutdown(cancel_futures=True)
    return images


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


def _check_file(path: str | os.PathLike) -> None:
    """Raises ValueError for a device or a pipe, which would block the reader."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError("it is no ordinary file")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides Pillow's warnings of large or odd images.

    Pillow raises an error for an image so large that it may be meant to fill memory.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _is_gray(image: Image.Image) -> bool:
    gray = image.mode in _GRAY_MODES or image.mode.startswith("I;16")
    if not gray and image.mode not in _COLOUR_MODES:
        raise ValueError(f"pixels of kind {image.mode}; 8 bits a channel are needed")
    return gray


def _to_channels(image: Image.Image, channels: int) -> Image.Image:
    _is_gray(image)  # Raises for pixels that cannot be converted.
    if image.mode.startswith("I;16"):
        # Pillow would cut values off instead of scaling them.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # Directly to RGB, Pillow warns.
    return image.convert("L" if channels == 1 else "RGB")


def _unusable(path: str | os.PathLike, error: Exception) -> InputError:
    reason = str(error) or type(error).__name__
    if isinstance(error, Image.UnidentifiedImageError):
        reason = "no image in any format known here"
    return InputError(
        f"{path} cannot be read as an image "
        f"({textwrap.shorten(reason, 120)}): repair it or take it out."
    )
