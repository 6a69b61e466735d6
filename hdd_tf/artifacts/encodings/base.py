"""The interface of the encodings of a distilled set."""

import abc
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

# Key and value in the hdd_tf.json of sets that have soft labels.
SOFT_LABELS_KEY = "soft_labels"
SOFT_LABELS = "softmax of label_logits"


class Encoding(abc.ABC):
    """A format that keeps images and labels in the files of a directory.

    Class attributes:
        name: Name of the encoding, the value of `encoding` in hdd_tf.json.
        files: Names of the encoding's files, if they are the same for every set.
        outside_range: True if the encoding keeps values outside 0-255.
        class_major: True if the encoding orders images by class.
    """

    name: ClassVar[str]
    files: ClassVar[frozenset[str]] = frozenset()
    outside_range: ClassVar[bool] = True
    class_major: ClassVar[bool] = False

    @abc.abstractmethod
    def write(
        self,
        directory: pathlib.Path,
        images: np.ndarray,
        labels: np.ndarray,
        metadata: Mapping[str, Any],
        label_logits: np.ndarray | None = None,
    ) -> dict[str, Any]:
        """Writes the files into an empty directory.

        Args:
            directory: Directory of the files.
            images: `[n, h, w, c]` float32 on the 0-255 scale.
            labels: `[n]` int64.
            metadata: Metadata of the set: dataset, label_names, mean, std and more,
                with the entries of `set_extras.describe_extras`.
            label_logits: `[n, C]` float32 for a set with soft labels, else None.

        Returns:
            Entries to add to hdd_tf.json.

        Raises:
            InputError: this encoding does not support such images.
        """

    @abc.abstractmethod
    def read(
        self, directory: pathlib.Path, metadata: Mapping[str, Any]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Reads files whose checksums agree.

        Anyone can compute checksums, so a file may still be hostile: this method
        allocates no more than the size of the files can fill.

        Args:
            directory: Directory of the files.
            metadata: Contents of hdd_tf.json.

        Returns:
            `[n, h, w, c]` float32 images on the 0-255 scale, `[n]` int64 labels, and
            `[n, C]` float32 logits (None if `metadata` has no soft labels).

        Raises:
            ValueError, tf.errors.OpError: the files do not match `metadata`.
        """

    def order(self, labels: np.ndarray) -> np.ndarray:
        """Returns the rows `[n]` of a set in the order of this encoding's images."""
        if self.class_major:
            return np.argsort(labels, kind="stable")
        return np.arange(len(labels))

    def owned(self, metadata: Mapping[str, Any]) -> set[str]:
        """Returns the names, relative to the set, of all files but hdd_tf.json."""
        return set(self.files)

    def folders(self, metadata: Mapping[str, Any]) -> set[str]:
        """Returns the names, relative to the set, of the folders of these files."""
        return set()

    def foreign_files(
        self, directory: pathlib.Path, metadata: Mapping[str, Any]
    ) -> Iterable[pathlib.Path]:
        """Returns foreign files that readers would take for a part of the set."""
        return []


def num_logits(metadata: Mapping[str, Any]) -> int | None:
    """Returns the length of a soft label; None for sets without soft labels."""
    if SOFT_LABELS_KEY not in metadata:
        return None
    return len(metadata["label_names"])


def check_bytes(metadata: Mapping[str, Any], available: int, per_value: float) -> None:
    """Checks, before memory is allocated, that files of this size can hold the images.

    Args:
        metadata: Contents of hdd_tf.json, with num_images and image_shape.
        available: Size in bytes of the files that hold the images.
        per_value: Least number of bytes of one image value; a value of a soft label
            has four bytes.

    Raises:
        ValueError: the images need more bytes.
    """
    # Products of Python integers do not overflow.
    values = metadata["num_images"]
    for side in metadata["image_shape"]:
        values *= side
    logits = metadata["num_images"] * (num_logits(metadata) or 0)
    if values * per_value > available or 4 * logits > available:
        raise ValueError(f"{values} values do not fit into {available} bytes")
