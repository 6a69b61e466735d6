"""What the head of an image file says, before the image is decoded."""

import contextlib
import os
import stat
import struct
import textwrap
import warnings
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image, ImageFile

from hdd_tf.errors import InputError

# What Pillow knows of an image before it decodes it.
_GRAY_MODES = ("1", "L", "LA", "La")
_COLOUR_MODES = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
_ORIENTATION = 0x0112
# Tags of TIFF: width, height, bits of a sample, and whether 0 is white.
_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC = 0x0100, 0x0101, 0x0102, 0x0106
# Chunks of PNG that may note an orientation; Pillow opens up to the pixels only.
_NOTES_OF_PNG = {b"eXIf", b"iTXt", b"tEXt", b"zTXt"}
_SIGNATURE_BYTES = 8


class ImageHeader(NamedTuple):
    """The header of an image file.

    Attributes:
        height: Height in pixels, after the camera's orientation is applied.
        width: Width in pixels, after the camera's orientation is applied.
        gray: True if the image has no colours.
        bits: Bits of a value, where a gray one has more than 8; else 8.
        is_exact: Whether the file itself says how many of its bits are used.
        has_deep_colours: Whether a colour, or gray beside transparency, has 16 bits,
            of which the upper 8 are read.
        has_more: Whether further frames or pages follow, which are not read.
    """

    height: int
    width: int
    gray: bool
    bits: int = 8
    is_exact: bool = False
    has_deep_colours: bool = False
    has_more: bool = False


def read_header(path: str | os.PathLike) -> ImageHeader:
    """Reads the header of an image file, without decoding the image.

    Args:
        path: The file.

    Raises:
        InputError: the file is not an image, or its kind of image is not supported.
    """
    with quiet():
        return header_of(path)


def header_of(path: str | os.PathLike) -> ImageHeader:
    """Does what `read_header` does, within a `quiet` of the caller, for threads."""
    try:
        with opened(path) as image:
            # Whether one is deep, and how it is stored, is known before it is loaded.
            deep, stored = is_deep(image), str(image.tile)
            # Gray beside transparency, of 16 bits, is RGBA of 8 bits to Pillow.
            gray = is_gray(image) or "'LA;16" in stored
            noted = _look_into_png(image) if image.format == "PNG" else None
            bits, is_exact = _bits(image, noted, stored) if deep else (8, False)
            return ImageHeader(
                *_upright_size(image),
                gray,
                bits,
                is_exact,
                has_deep_colours=not deep and ";16" in stored,
                has_more=_has_more(image),
            )
    except Exception as error:
        raise unusable(path, error) from error


@contextlib.contextmanager
def opened(path: str | os.PathLike) -> Iterator[ImageFile.ImageFile]:
    """Opens an image file; a device or a pipe, which would block, is refused."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError("it is no ordinary file")
    with Image.open(path) as image:
        yield image


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hides Pillow's warnings of large or odd images.

    Pillow raises an error for an image so large that it may be meant to fill memory.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class UnreadPixels(ValueError):
    """A whole image has pixels of a kind that is not read.

    Args:
        mode: Pillow's name of the kind.
    """

    def __init__(self, mode: str) -> None:
        super().__init__(
            f"pixels of kind {mode}; 8 bits a channel are needed, or 16 in gray"
        )


def is_gray(image: Image.Image) -> bool:
    """Tells whether an image has no colours.

    Raises:
        UnreadPixels: it has pixels that are not read.
    """
    gray = image.mode in _GRAY_MODES or is_deep(image)
    if not gray and image.mode not in _COLOUR_MODES:
        raise UnreadPixels(image.mode)
    return gray


def is_deep(image: Image.Image) -> bool:
    """Tells whether an image is gray with 9 to 16 bits a value."""
    # PGM files, and PNG files in earlier Pillows, have 16 bits in pixels of 32.
    in_more = image.mode == "I" and image.format in ("PNG", "PPM")
    return image.mode.startswith("I;16") or in_more


def zero_is_white(image: Image.Image) -> bool:
    """Tells whether a deep image is stored as a negative, which Pillow leaves so."""
    return _tag(image, _PHOTOMETRIC) == 0


def unusable(path: str | os.PathLike, error: Exception) -> InputError:
    """Returns what is said of a file that cannot be read.

    Args:
        path: The file.
        error: What Pillow raised. It documents no exceptions for damaged files:
            OSError, SyntaxError, ValueError and its own have all been seen.
    """
    reason = str(error) or type(error).__name__
    if isinstance(error, Image.UnidentifiedImageError):
        reason = "no image in any format known here"
    mend = "repair it or take it out"
    if isinstance(error, UnreadPixels):
        mend = "convert it, with values from black to white on that scale"
    return InputError(
        f"{path} cannot be read as an image ({textwrap.shorten(reason, 120)}): {mend}."
    )


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """Returns height and width after orientation, wherever that is noted."""
    width, height = image.size
    # Pillow's versions differ in whether the size of a TIFF file is turned already.
    width = _tag(image, _WIDTH) or width
    height = _tag(image, _HEIGHT) or height
    # Not PNG's own method, which decodes the image to find what follows it.
    orientation = Image.Image.getexif(image).get(_ORIENTATION, 1)
    return (width, height) if orientation in (5, 6, 7, 8) else (height, width)


def _tag(image: Image.Image, number: int) -> int | None:
    """Returns the value of a tag of a TIFF file; None in any other file."""
    value = getattr(image, "tag_v2", {}).get(number)
    return value[0] if isinstance(value, tuple) else value


def _look_into_png(image: ImageFile.ImageFile) -> int | None:
    """Returns the bits that sBIT says are used, and reads notes behind the pixels."""
    file = image.fp
    assert file is not None  # Opened, and not loaded.
    used, pixels_seen, late_notes = None, False, False
    place = file.tell()
    file.seek(_SIGNATURE_BYTES)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IEND":
            break
        if kind == b"sBIT" and length <= 4:
            used = max(file.read(length), default=0)
            length = 0
        late_notes |= pixels_seen and kind in _NOTES_OF_PNG
        pixels_seen |= kind == b"IDAT"
        file.seek(length + 4, os.SEEK_CUR)
    file.seek(place)
    if late_notes:
        image.load()
    return used


def _bits(image: Image.Image, noted: int | None, stored: str) -> tuple[int, bool]:
    """Returns how many bits a deep image uses, and whether its file says so."""
    if image.format in ("JPEG2000", "PPM"):
        # Pillow scales to 16 bits what has a largest value of its own.
        return 16, "I;16B" not in stored
    if noted is not None and 1 <= noted < 16:
        return max(noted, 8), True
    in_file = _tag(image, _BITS) or 16
    return in_file, in_file < 16


def _has_more(image: Image.Image) -> bool:
    # MPO: what cameras and phones add to their pictures, such as previews.
    if image.format == "MPO":
        return False
    with contextlib.suppress(Exception):  # Frames that are not read may be damaged.
        return bool(getattr(image, "is_animated", False))
    return False
