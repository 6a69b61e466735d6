"""Headers of the image files of a folder, each read once and kept between starts."""

import hashlib
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import PIL

from hdd_tf.data.catalogue import FOLDER
from hdd_tf.data_cache.cache import DataCache
from hdd_tf.data_cache.known_files import KnownFiles, key_of, read_known, write_known
from hdd_tf.reading.folders.class_folders import ImageFiles
from hdd_tf.reading.folders.image_files import read_headers
from hdd_tf.reading.folders.image_headers import ImageHeader

# Another version of what is read of a head, here or by Pillow, reads all of them anew.
_KIND = f"1, by Pillow {PIL.__version__}"
# What is kept of a file: height, width, and in one number all else of its header.
_WIDTH = 3
_GRAY, _EXACT, _DEEP_COLOURS, _MORE, _BITS = 1, 2, 4, 8, 16
# Files whose headers are objects at a time.
_AT_ONCE = 4096
# Names of what is noted of all deep gray images.
_DEEP, _USED_BITS = "deep_gray", "used_bits"


class KnownHeaders:
    """Headers of all files of a folder; those of a cache where files are unchanged.

    Files are counted over all splits, in their order.

    Args:
        files: Files of each split.
        root: The folder.
        cache: Where decoded splits are kept, and headers beside them.

    Raises:
        InputError: a file is not an image, or its kind of image is not supported.
    """

    def __init__(
        self, files: Mapping[str, ImageFiles], root: pathlib.Path, cache: DataCache
    ) -> None:
        data, folder = FOLDER + root.name, os.path.realpath(root)
        self._place = cache.place_of_record(data, f"headers of {folder}")
        self._keys = np.empty(0, "S16")
        count = sum(len(part.paths) for part in files.values())
        if self._place is None:
            self._values = np.empty((count, _WIDTH), np.int32)
            self._read(files, np.zeros(count, bool))
            return
        self._keys = np.fromiter(_keys(files, root), "S16", count)
        # Some files may have been taken out of the folder since.
        known = read_known(self._place, _KIND, _WIDTH, 2 * count + 1000)
        self._notes = dict(known.notes)
        self._values, is_known = known.find(self._keys)
        is_known &= _are_plausible(self._values)
        self._is_new = len(known.keys) != count or not is_known.all()
        self._read(files, is_known)

    def __iter__(self) -> Iterator[ImageHeader]:
        return (self[row] for row in range(len(self._values)))

    def __getitem__(self, row: int) -> ImageHeader:
        """Returns the header of a file."""
        height, width, rest = self._values[row].tolist()
        return ImageHeader(
            height,
            width,
            bool(rest & _GRAY),
            rest // _BITS,
            bool(rest & _EXACT),
            bool(rest & _DEEP_COLOURS),
            bool(rest & _MORE),
        )

    def used_bits(self) -> int | None:
        """Returns the bits that deep gray images use, if that is known of all."""
        if self._place is None or self._notes.get(_DEEP) != self._sum_of_deep():
            return None
        bits = self._notes.get(_USED_BITS)
        return bits if type(bits) is int and 8 <= bits <= 16 else None

    def keep(self, used_bits: int) -> None:
        """Keeps the headers for later starts, unless they are kept already.

        Args:
            used_bits: Bits that deep gray images use.
        """
        notes: dict[str, Any] = {_DEEP: self._sum_of_deep(), _USED_BITS: used_bits}
        if self._place is not None and (self._is_new or notes != self._notes):
            known = KnownFiles(self._keys, self._values, notes)
            write_known(self._place, _KIND, known)

    def _read(self, files: Mapping[str, ImageFiles], is_known: np.ndarray) -> None:
        """Reads the headers that are not known."""
        first = 0
        for part in files.values():
            rows = np.flatnonzero(~is_known[first : first + len(part.paths)])
            for start in range(0, len(rows), _AT_ONCE):
                some = rows[start : start + _AT_ONCE]
                headers = read_headers(part.paths.take(some))
                self._values[first + some] = [_packed(header) for header in headers]
            first += len(part.paths)

    def _sum_of_deep(self) -> str:
        is_deep = self._values[:, 2] >= 9 * _BITS
        return hashlib.sha256(self._keys[is_deep].tobytes()).hexdigest()


def _keys(files: Mapping[str, ImageFiles], root: pathlib.Path) -> Iterator[bytes]:
    for part in files.values():
        for name, path in part.paths.below(root):
            try:
                yield key_of(name, os.stat(path))
            except OSError:  # Reading the file says what is wrong.
                yield b""


def _are_plausible(values: np.ndarray) -> np.ndarray:
    """Returns which numbers `[n, 3]` can be of images; a record may be anyone's."""
    bits = values[:, 2] // _BITS
    return (values[:, :2] > 0).all(axis=1) & (bits >= 8) & (bits <= 32)


def _packed(header: ImageHeader) -> tuple[int, int, int]:
    rest = (
        _GRAY * header.gray
        + _EXACT * header.is_exact
        + _DEEP_COLOURS * header.has_deep_colours
        + _MORE * header.has_more
        + _BITS * header.bits
    )
    return header.height, header.width, rest
