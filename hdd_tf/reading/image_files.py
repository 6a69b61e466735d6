"""Image files to arrays: decoding, channels, size."""

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
    """What the head of an image file says.

    Attributes:
        height: In pixels, as the image is looked at.
        width: Likewise.
        gray: Whether it has no colours.
    """

    height: int
    width: int
    gray: bool


def read_header(path: str | os.PathLike) -> ImageHeader:
    """Reads what an image file is, without decoding it.

    Raises:
        InputError: it is no image, or none that can be used.
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

    Transparency is dropped, of several frames the first is taken, and an orientation
    that a camera noted is applied.

    Args:
        path: The file.
        channels: 1 for gray, 3 for RGB.
        size: Height and width to fit it to, as `fit_image`; None for its own.

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
        *sizes: Heights and widths to fit each to, one after the other, as `fit_image`.

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
    """Scales an image until it just covers a size, and cuts out its centre.

    With a square size: the short side is scaled to it. Bilinear with antialiasing, the
    centre and rounding those of torchvision's Resize and CenterCrop, which the
    published programs use. An image of that size stays as it is.

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
    """Raises ValueError for a pipe, which reading would wait for, or a device."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError("it is no ordinary file")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides Pillow's warnings of large or odd images.

    Images so large that they could be meant to fill the memory are an error.
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
