"""The distilled images of a run: a strip of each class, with its name."""

import io
import os
from typing import BinaryIO
from xml.etree.ElementTree import Element

import numpy as np
from PIL import Image

from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.sets.distilled_set import read_distilled_set
from hdd_tf.artifacts.sets.set_content import DistilledSet
from hdd_tf.report.page.elements import element, image

# Pixels of the images of one page: noise of as many takes 2.5 MB of text.
PAGE_PIXELS = 600_000
# Longest side of an image, and its side on the screen if it is smaller.
_LONGEST, _COMFORTABLE = 96, 56
# Images of a class, so that the strips of a page are not too wide.
_MOST_OF_CLASS = 10
_GAP = 1
# Pixels of a file that is read; those of a run have less.
_MOST_PIXELS = 20_000_000
# Bytes of a drawing as PNG; usual ones have half of them.
_MOST_BYTES = 300_000


def image_sheet(run: RunDirectory, pixels: int) -> list[Element]:
    """Makes the sheet of a run's set as stored.

    Args:
        run: Directory of the run.
        pixels: Largest number of pixels in all, though at least one image is shown.

    Returns:
        What is shown and what is left out, in words, and the strips.

    Raises:
        InputError: there is no whole set.
        OSError: a file cannot be read.
    """
    made = read_distilled_set(run.synthetic)
    height, width, channels = made.images.shape[1:]
    if channels not in (1, 3):
        return [element("p", f"Images of {channels} channels have no colours to show.")]
    factor = min(1.0, _LONGEST / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    room = max(1, pixels // (size[0] * size[1]))
    classes = np.unique(made.labels)
    shown = classes[:room]
    columns = max(1, min(_MOST_OF_CLASS, room // len(shown)))
    strips = element("ul", kind="sheet")
    drawn = 0
    for label in shown:
        rows = np.flatnonzero(made.labels == label)
        chosen = made.images[rows[:columns]]
        drawn += len(chosen)
        name = made.class_names[label]
        strips.append(
            element(
                "li",
                _strip(chosen, size, f"{name}: {len(chosen)} of {len(rows)} images"),
                element("bdi", name),
            )
        )
    words = _words(made, drawn, len(shown), len(classes), size)
    return [element("p", words, kind="soft"), strips]


def _words(
    made: DistilledSet, drawn: int, shown: int, classes: int, size: tuple[int, int]
) -> str:
    """Says what a sheet shows of a set."""
    count, height, width = made.images.shape[:3]
    if drawn == count:
        words = f"All {count:,} images"
    elif shown == classes:
        words = f"The first {drawn:,} of {count:,} images, as many of each class"
    else:
        words = (
            f"{drawn:,} of {count:,} images: the first {shown:,} of {classes:,} classes"
        )
    words += f", {height}x{width}"
    if size != (width, height):
        words += f", drawn at {size[1]}x{size[0]}"
    factor = made.metadata.get("formation_factor", 1)
    if factor > 1 and not made.metadata.get("decoded"):
        words += f"; each holds {factor}x{factor} training images"
    return f"{words}. Values outside 0-255 are clipped."


def _strip(images: np.ndarray, size: tuple[int, int], alt: str) -> Element:
    """Makes one picture of images side by side, with a gap that shows the page.

    Args:
        images: `[n, h, w, 1 or 3]` float32 on the 0-255 scale.
        size: Width and height of an image in the picture.
        alt: What the picture shows, in words.
    """
    values = np.nan_to_num(images, nan=0.0, posinf=255.0, neginf=0.0)
    whole = np.rint(np.clip(values, 0.0, 255.0)).astype(np.uint8)
    step = size[0] + _GAP
    strip = Image.new("RGBA", (len(whole) * step - _GAP, size[1]), (0, 0, 0, 0))
    for number, pixels in enumerate(whole):
        one = Image.fromarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)).copy())
        if one.size != size:
            one = one.resize(size, Image.Resampling.LANCZOS)
        strip.paste(one, (number * step, 0))
    buffer = io.BytesIO()
    strip.save(buffer, format="PNG")
    larger = max(1, round(_COMFORTABLE / max(size)))
    shape = {"width": str(strip.width * larger), "height": str(strip.height * larger)}
    return image(buffer.getvalue(), "image/png", alt, **shape)


def reencoded(file: str | os.PathLike | BinaryIO, most_side: int) -> tuple[bytes, str]:
    """Returns a PNG file anew, smaller where it is larger than pages need.

    What is not a picture, such as another file of this name, does not get into a page.

    Args:
        file: The file, or its path.
        most_side: Longest side in pixels.

    Returns:
        The contents of a file and its media type: JPEG where PNG is too long.

    Raises:
        ValueError: the file is not there, or is no PNG of a size that pictures have.
    """
    try:
        with Image.open(file, formats=["PNG"]) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise ValueError(f"a picture of {picture.size} pixels")
            whole = picture.convert("RGB")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError("no picture") from error
    whole.thumbnail((most_side, most_side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    whole.save(buffer, format="PNG", optimize=True)
    if buffer.tell() <= _MOST_BYTES:
        return buffer.getvalue(), "image/png"
    buffer = io.BytesIO()
    whole.save(buffer, format="JPEG", quality=85)
    return buffer.getvalue(), "image/jpeg"
