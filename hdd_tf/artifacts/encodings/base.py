"""What every encoding of a distilled set offers."""

import abc
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np


class Encoding(abc.ABC):
    """A way to keep images and labels in the files of a directory.

    Class attributes:
        name: What `encoding` in hdd_tf.json says.
        files: Names of its files, where they are the same for every set.
        outside_range: Whether values outside 0-255 survive.
    """

    name: ClassVar[str]
    files: ClassVar[frozenset[str]] = frozenset()
    outside_range: ClassVar[bool] = True

    @abc.abstractmethod
    def write(
        self,
        directory: pathlib.Path,
        images: np.ndarray,
        labels: np.ndarray,
        metadata: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Writes the files into an empty directory.

        Args:
            directory: Where to.
            images: `[n, h, w, c]` float32 on the 0-255 scale.
            labels: `[n]` int64.
            metadata: Of the set: dataset, label_names, mean, std and more.

        Returns:
            What hdd_tf.json has to say besides.

        Raises:
            InputError: this encoding cannot hold such images.
        """

    @abc.abstractmethod
    def read(
        self, directory: pathlib.Path, metadata: Mapping[str, Any]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Reads files back whose checksums were found right.

        Right sums do not make a file harmless, for anyone can compute them: nothing is
        allocated that the size of the files does not warrant.

        Returns:
            `[n, h, w, c]` float32 images on the 0-255 scale and `[n]` int64 labels.

        Raises:
            ValueError, tf.errors.OpError: the files do not hold what `metadata` says.
        """

    def owned(self, metadata: Mapping[str, Any]) -> set[str]:
        """Returns the names, relative to the set, of all files but hdd_tf.json."""
        return set(self.files)

    def folders(self, metadata: Mapping[str, Any]) -> set[str]:
        """Returns the names of the folders that those files lie in."""
        return set()

    def strangers(
        self, directory: pathlib.Path, metadata: Mapping[str, Any]
    ) -> Iterable[pathlib.Path]:
        """Returns files that readers would take for a part of the set."""
        return []


def check_bytes(metadata: Mapping[str, Any], available: int, per_value: float) -> None:
    """Refuses images that files of this size cannot hold, before memory is taken.

    Args:
        metadata: num_images and image_shape.
        available: Bytes of the files that hold the images.
        per_value: The fewest bytes that one value can take.

    Raises:
        ValueError: there would have to be more bytes.
    """
    # Python's integers, which do not overflow.
    values = metadata["num_images"]
    for side in metadata["image_shape"]:
        values *= side
    if values * per_value > available:
        raise ValueError(f"{values} values do not fit into {available} bytes")
