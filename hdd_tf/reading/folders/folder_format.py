"""What the images of a folder have in common, and what of them is not read as it is."""

import dataclasses
import functools
import pathlib
from collections.abc import Mapping

import numpy as np

from hdd_tf.data.dataset import LabelledImages
from hdd_tf.data.stored_images import ImageRows, chunks_of
from hdd_tf.errors import InputError
from hdd_tf.reading.folders.class_folders import ImageFiles
from hdd_tf.reading.folders.compact_paths import Paths
from hdd_tf.reading.folders.image_files import used_bits
from hdd_tf.reading.folders.known_headers import KnownHeaders

# Of 8 bits that are read: images of 16 bits whose values end here use few levels.
_FEW_LEVELS = 64


@dataclasses.dataclass
class Format:
    """What all images have in common, and which ones need a word.

    Attributes:
        size: Height and width that they will have.
        channels: 1 or 3.
        deep: Gray images of more than 8 bits.
        noted_bits: How many bits files of `deep` say they use.
        deep_colours: Images of which a colour, or gray beside transparency, has more
            than 8 bits.
        with_more: Files of which only the first frame or page is read.
        transparent: Images with transparent parts; known when they are read.
    """

    size: tuple[int, int] = (0, 0)
    channels: int = 1
    deep: Paths = dataclasses.field(default_factory=Paths)
    noted_bits: set[int] = dataclasses.field(default_factory=set)
    deep_colours: Paths = dataclasses.field(default_factory=Paths)
    with_more: Paths = dataclasses.field(default_factory=Paths)
    transparent: Paths = dataclasses.field(default_factory=Paths)

    @classmethod
    def known(cls, size: tuple[int, int], channels: int, bits: int) -> "Format":
        """Returns the format that another process has found.

        Args:
            size: As in the class.
            channels: As in the class.
            bits: Value of the property.
        """
        form = cls(size, channels)
        vars(form)["bits"] = bits
        return form

    @functools.cached_property
    def bits(self) -> int:
        """Bits that gray images of more than 8 use; the first call decodes them."""
        return used_bits(self.deep, self.noted_bits) if self.deep else 16


def common_format(
    files: Mapping[str, ImageFiles],
    headers: KnownHeaders,
    image_size: tuple[int, int] | None,
) -> Format:
    """Returns the format that all images will have.

    Args:
        files: Files of each split.
        headers: Their headers.
        image_size: Height and width to fit each image to; None where all have one.

    Raises:
        InputError: sizes differ and `image_size` is None.
    """
    form = Format()
    gray = True
    first: dict[tuple[int, int], pathlib.Path] = {}
    rows = (
        (part.paths, row) for part in files.values() for row in range(len(part.paths))
    )
    for (paths, row), header in zip(rows, headers, strict=True):
        gray = gray and header.gray
        if (header.height, header.width) not in first:
            first[header.height, header.width] = paths[row]
        if header.bits > 8:
            form.deep.append(paths[row])
        if header.is_exact:
            form.noted_bits.add(header.bits)
        if header.has_deep_colours:
            form.deep_colours.append(paths[row])
        if header.has_more:
            form.with_more.append(paths[row])
    if image_size is None and len(first) > 1:
        shown = " and ".join(
            f"{height}x{width} ({path})"
            for (height, width), path in list(first.items())[:2]
        )
        raise InputError(
            f"the images have different sizes, such as {shown}: give the one to bring "
            "them to with --image_size, such as --image_size=64."
        )
    form.size = image_size or next(iter(first))
    form.channels = 1 if gray else 3
    if (bits := headers.used_bits()) is not None:
        vars(form)["bits"] = bits
    return form


def refuse_transparency_alone(
    root: pathlib.Path, form: Format, images: ImageRows
) -> None:
    """Checks that something else than the dropped transparency differs.

    Args:
        root: The folder, for messages.
        form: Format of its images.
        images: `[n, h, w, c]` training images.

    Raises:
        InputError: nothing does.
    """
    if not form.transparent:
        return
    lowest, highest = 255, 0
    for part in chunks_of(images):
        lowest = np.minimum(lowest, part.min(axis=(0, 1, 2)))
        highest = np.maximum(highest, part.max(axis=(0, 1, 2)))
    if np.all(lowest == highest):
        raise InputError(
            f"the images below {root}, such as {form.transparent[0]}, are of one "
            "colour: what they show is in their transparency, which is not read; "
            "flatten them onto a background."
        )


def remarks_on(
    form: Format,
    files: dict[str, ImageFiles],
    read: dict[str, LabelledImages],
) -> list[str]:
    """Returns a line for whatever of the images is not read as it is stored.

    Args:
        form: Format of the images.
        files: Files of each split.
        read: Their images.
    """
    remarks = []
    if form.transparent:
        remarks.append(
            f"{len(form.transparent)} images have transparent parts, such as "
            f"{form.transparent[0]}: the transparency is dropped, and the colours that "
            "it hides are read; flatten the images onto a background if they matter."
        )
    if form.with_more:
        remarks.append(
            f"{len(form.with_more)} files have several frames or pages, such as "
            f"{form.with_more[0]}: the first of each is read."
        )
    if form.deep and form.bits < 16:
        remarks.append(
            f"{len(form.deep)} gray images of more than 8 bits, such as "
            f"{form.deep[0]}, use {form.bits} bits: 0 ... {2**form.bits - 1} becomes "
            "0 ... 255."
        )
    largest = _largest_deep_colour(form, files, read) if form.deep_colours else 255
    if largest < _FEW_LEVELS:
        remarks.append(
            f"{len(form.deep_colours)} images of 16 bits in colour or beside "
            f"transparency, such as {form.deep_colours[0]}, use only {largest + 1} of "
            "the 256 levels that are read: save them with 8 bits a colour, scaled to "
            "0 ... 255."
        )
    return remarks


def _largest_deep_colour(
    form: Format, files: dict[str, ImageFiles], read: dict[str, LabelledImages]
) -> int:
    """Returns the largest value that was read of an image with colours of 16 bits."""
    largest = 0
    # They were noted in the order of the files.
    waiting = iter(form.deep_colours)
    awaited = next(waiting, None)
    for split, part in files.items():
        for row, path in enumerate(part.paths):
            if path == awaited:
                largest = max(largest, int(read[split].images[row].max()))
                awaited = next(waiting, None)
    return largest
