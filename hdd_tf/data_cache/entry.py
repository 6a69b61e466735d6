"""The files of one decoded split.

`images.u8` has the pixels as they are in memory, sorted by class, and by their order in
the split within a class: a class is one stretch of the file, whose length `facts.json`
has in `class_sizes`. `labels.i64` has the labels, little-endian, in the order of the
split, so a stable sort of them leads from one order to the other. `facts.json` says
what decided the pixels, and has the checksums.

A directory may come from anyone, so nothing in it is trusted: files must be ordinary
ones of exactly the size that the source of the images asks for.
"""

import dataclasses
import hashlib
import math
import os
import pathlib
import stat
from collections.abc import Mapping
from typing import Any

import numpy as np

from hdd_tf.data.dataset import CHECKSUM, LabelledImages
from hdd_tf.data.memory import empty_images
from hdd_tf.data.stored_images import Kept, StoredImages, forgotten
from hdd_tf.data_cache.checked import Checked
from hdd_tf.errors import InputError
from hdd_tf.files.checksums import is_sealed, verify_files
from hdd_tf.files.json_files import read_json
from hdd_tf.files.json_text import json_text

IMAGES, LABELS, FACTS = "images.u8", "labels.i64", "facts.json"
_FORMAT = 1
# Of images that are copied at a time.
_CHUNK = 2**24


class UnusableError(Exception):
    """An entry is not what is looked for; the message says why, within a sentence."""


@dataclasses.dataclass(frozen=True)
class Facts:
    """What decides the images of a split, and where they come from.

    Attributes:
        data: Name of the data set, with its version.
        split: Name of the split.
        shape: Number of images, height, width and channels.
        decoding: How the files became these pixels, with versions of the decoders.
        source: State of the files that the images were decoded from.
    """

    data: str
    split: str
    shape: tuple[int, int, int, int]
    decoding: Mapping[str, Any]
    source: Mapping[str, Any]

    @property
    def num_bytes(self) -> int:
        """Bytes of the images, each value one."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def recipe(self) -> dict[str, Any]:
        """All but the source: what has its own entry each."""
        return {
            "format": _FORMAT,
            "data": self.data,
            "split": self.split,
            "shape": list(self.shape),
            "decoding": dict(self.decoding),
        }


@dataclasses.dataclass(frozen=True)
class Entry:
    """A split as it is stored.

    Attributes:
        directory: Where it lies.
        shape: Number of images, height, width and channels.
        labels: `[n]` int64 in the order of the split.
        content: What `facts.json` says.
    """

    directory: pathlib.Path
    shape: tuple[int, int, int, int]
    labels: np.ndarray
    content: Mapping[str, Any]

    def whole(self) -> LabelledImages:
        """Returns all images in the order of the split.

        Their checksum, which runs record, is what shows that they are whole; so there
        is one pass over them and not two.

        Raises:
            UnusableError: the files are damaged.
        """
        images = empty_images(self.shape)
        order = np.argsort(self.labels, kind="stable")
        # Read and not mapped: an error of the disk is one of Python's, and pages of the
        # file do not count as memory of this process.
        chunk = np.empty((rows_of_chunk(self.shape), *self.shape[1:]), np.uint8)
        try:
            with (self.directory / IMAGES).open("rb", buffering=0) as file:
                for start in range(0, len(images), len(chunk)):
                    rows = order[start : start + len(chunk)]
                    file.readinto(chunk[: len(rows)].data)
                    images[rows] = chunk[: len(rows)]
        except OSError as error:
            raise UnusableError(f"damaged: {error}") from error
        part = LabelledImages(images, self.labels)
        if part.checksum != self.content.get("sha256"):
            raise UnusableError("damaged: its checksum does not agree")
        return part

    def verify(self) -> None:
        """Compares the files with their checksums, and reads no image into memory.

        Raises:
            UnusableError: they do not agree.
        """
        try:
            files = {name: self.content["files"][name] for name in (IMAGES, LABELS)}
            verify_files(self.directory, files)
        except (InputError, KeyError, TypeError) as error:
            raise UnusableError("damaged: its checksum does not agree") from error

    def check(self) -> Checked:
        """Compares the files with their checksums, unless they were and are the same.

        Returns:
            What is known of them.

        Raises:
            UnusableError: they do not agree.
        """
        checked = Checked(self.directory, IMAGES)
        if not checked.is_whole:
            self.verify()
            checked.note()
        return checked

    def take(self, rows: np.ndarray) -> LabelledImages:
        """Returns the images at `rows` of the split, in that order."""
        return LabelledImages(self._images().take(rows), self.labels[rows])

    def stored(self) -> LabelledImages:
        """Returns all images in the order of the split, which stay on disk.

        They are compared with their checksum where they have not been yet.

        Raises:
            UnusableError: the files are damaged.
        """
        try:
            checked = self.check()
            images = self._images(checked.remembered)
        except (OSError, ValueError) as error:
            raise UnusableError(f"damaged: {error}") from error
        checked.know(images.key(CHECKSUM, self.labels), self.content.get("sha256"))
        return LabelledImages(images, self.labels)

    def _images(self, kept: Kept = forgotten) -> StoredImages:
        positions = positions_of(self.labels)
        return StoredImages(self.directory / IMAGES, self.shape, positions, kept)


def open_entry(directory: pathlib.Path, facts: Facts) -> Entry:
    """Opens a stored split whose description is the one that is asked for.

    The images themselves are checked when they are read.

    Raises:
        UnusableError: it is another one, or damaged.
    """
    try:
        content = read_json(directory / FACTS)
        if not isinstance(content, dict) or not is_sealed(content):
            raise UnusableError("damaged: facts.json does not agree with itself")
        if any(content.get(key) != value for key, value in facts.recipe.items()):
            raise UnusableError("of other images")
        if content.get("source") != dict(facts.source):
            raise UnusableError("older than the files that it was decoded from")
        sizes = {name: size_of_file(directory / name) for name in (IMAGES, LABELS)}
        for name, size in ((IMAGES, facts.num_bytes), (LABELS, 8 * facts.shape[0])):
            if sizes[name] != size:
                raise UnusableError(f"damaged: {name} has {sizes[name]:,} bytes")
        labels = np.fromfile(directory / LABELS, "<i8").astype(np.int64)
    except (OSError, ValueError) as error:
        raise UnusableError(f"damaged: {error}") from error
    return Entry(directory, facts.shape, labels, content)


def positions_of(labels: np.ndarray) -> np.ndarray:
    """Returns where the file has each image of a split, `[n]` int64.

    Args:
        labels: `[n]` int64 in the order of the split.
    """
    positions = np.empty(len(labels), np.int64)
    positions[np.argsort(labels, kind="stable")] = np.arange(len(labels))
    return positions


def digest_of(values: Any) -> str:
    """Returns the start of a SHA-256 sum of values of JSON."""
    return hashlib.sha256(json_text(values).encode()).hexdigest()[:16]


def rows_of_chunk(shape: tuple[int, int, int, int]) -> int:
    """Returns how many images are copied at a time, >= 1.

    Args:
        shape: Number of images, height, width and channels.
    """
    return max(1, _CHUNK // max(1, math.prod(shape[1:])))


def size_of_file(path: pathlib.Path) -> int:
    """Returns the bytes of an ordinary file; a pipe would be waited for.

    Raises:
        OSError: it is not there.
        UnusableError: it is something else.
    """
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        raise UnusableError(f"damaged: {path.name} is no ordinary file")
    return found.st_size
