"""Splits of image files of which a process reads those of its own classes."""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hdd_tf.data.dataset import LabelledImages
from hdd_tf.data.sharing import Sharing, part_of_split
from hdd_tf.data.stored_images import ImageRows
from hdd_tf.data_cache.cache import DataCache
from hdd_tf.data_cache.entry import Facts
from hdd_tf.data_cache.real_store import lies_on_disk
from hdd_tf.reading.folders.class_folders import ImageFiles
from hdd_tf.reading.folders.image_files import read_images
from hdd_tf.reading.folders.image_parts import decoding_of_files


@dataclasses.dataclass(frozen=True)
class FilesOfSplit:
    """The image files of a split, and how they become images.

    Attributes:
        name: Name of the data set, for messages.
        files: The files of the chosen classes, with the labels of the data set.
        channels: 1 for gray, 3 for RGB.
        sizes: Heights and widths to fit each image to, one after the other.
        describe: Function from files of the split, and from what else decides how they
            are read, to what decides their images.
        whole: The files that the entry of the whole split in a cache has; `rows` are
            those of `files` among them.
        rows: `[n]` int64.
        bits: As in `read_image`.
        is_kept: Whether a cache keeps the whole split where images are in memory.
    """

    name: str
    files: ImageFiles
    channels: int
    sizes: tuple[tuple[int, int], ...]
    describe: Callable[[ImageFiles, Mapping[str, Any]], Facts]
    whole: ImageFiles
    rows: np.ndarray
    bits: int = 16
    is_kept: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        return (*self.sizes[-1], self.channels)

    def read_own(self, cache: DataCache, sharing: Sharing) -> LabelledImages:
        """Reads the images of the classes that this process matches.

        Args:
            cache: Where decoded splits are. Images that stay on disk are those of the
                whole split's entry, if there is one, and else get an entry of their
                own.
            sharing: How several processes share the data.

        Raises:
            InputError: a file is damaged, or the images fit nowhere.
        """
        classes = sharing.own_classes(int(self.files.labels.max()) + 1)
        own = np.flatnonzero(np.isin(self.files.labels, classes))
        on_disk = lies_on_disk(
            cache, self.name, (len(own), 0), self.shape, lambda: [self._facts(own)]
        )

        def hold(rows: np.ndarray) -> ImageRows:
            if on_disk:
                part = self.files.take(rows)
                decoding = decoding_of_files(
                    part, self.channels, *self.sizes, bits=self.bits
                )
                whole = self.describe(self.whole, {})
                at = self.rows[rows]
                return cache.stored_rows(whole, at, self._facts(rows), decoding).images
            if self.is_kept and cache.is_there:
                entry = cache.verified(self.describe(self.whole, {}))
                if entry is not None:
                    return entry.take(self.rows[rows]).images
            return self._decode(rows)

        labels = self.files.labels
        return part_of_split(labels, self.shape, own, hold, self._decode, on_disk)

    def read_none(self) -> LabelledImages:
        """Returns the split without reading images: the chief alone uses it."""
        none = np.arange(0)
        return part_of_split(
            self.files.labels, self.shape, none, self._decode, self._decode
        )

    def _facts(self, rows: np.ndarray) -> Facts:
        # Of another process' rows, the entry beside it is not the same.
        which = hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()
        return self.describe(self.files.take(rows), {"rows": which})

    def _decode(self, rows: np.ndarray) -> np.ndarray:
        paths = self.files.take(rows).paths
        return read_images(paths, self.channels, *self.sizes, bits=self.bits)
