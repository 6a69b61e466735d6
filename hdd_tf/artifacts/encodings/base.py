"""What every encoding of a distilled set offers."""

import abc
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

# What hdd_tf.json says under this key of sets that have soft labels.
SOFT_LABELS_KEY = "soft_labels"
SOFT_LABELS = "softmax of label_logits"


class Encoding(abc.ABC):
    """A way to keep images and labels in the files of a directory.

    Class attributes:
        name: What `encoding` in hdd_tf.json says.
        files: Names of its files, where they are the same for every set.
        outside_range: Whether values outside 0-255 survive.
        class_major: Whether images are kept class after class.
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
            directory: Where to.
            images: `[n, h, w, c]` float32 on the 0-255 scale.
            labels: `[n]` int64.
            metadata: Of the set: dataset, label_names, mean, std and more; also what
                `set_extras.describe_extras` says.
            label_logits: `[n, C]` float32, of sets that have soft labels.

        Returns:
            What hdd_tf.json has to say besides.

        Raises:
            InputError: this encoding cannot hold such images.
        """

    @abc.abstractmethod
    def read(
        self, directory: pathlib.Path, metadata: Mapping[str, Any]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Reads files back whose checksums were found right.

        Right sums do not make a file harmless, for anyone can compute them: nothing is
        allocated that the size of the files does not warrant.

        Returns:
            `[n, h, w, c]` float32 images on the 0-255 scale, `[n]` int64 labels and,
            where `metadata` says that there are soft labels, `[n, C]` float32 logits.

        Raises:
            ValueError, tf.errors.OpError: the files do not hold what `metadata` says.
        """

    def order(self, labels: np.ndarray) -> np.ndarray:
        """Returns the rows `[n]` of a set in the order that its images are kept in."""
        if self.class_major:
            return np.argsort(labels, kind="stable")
        return np.arange(len(labels))

    def owned(self, metadata: Mapping[str, Any]) -> set[str]:
        """Returns the names, relative to the set, of all files but hdd_tf.json."""
        return set(self.files)

    def folders(self, metadata: Mapping[str, Any]) -> set[str]:
        """Returns the names of the folders that those files lie in."""
        return set()

    def foreign_files(
        self, directory: pathlib.Path, metadata: Mapping[str, Any]
    ) -> Iterable[pathlib.Path]:
        """Returns files that readers would take for a part of the set."""
        return []


def num_logits(metadata: Mapping[str, Any]) -> int | None:
    """Returns the length of a soft label; None for sets without soft labels."""
    if SOFT_LABELS_KEY not in metadata:
        return None
    return len(metadata["label_names"])


def check_bytes(metadata: Mapping[str, Any], available: int, per_value: float) -> None:
    """Refuses images that files of this size cannot hold, before memory is taken.

    Args:
        metadata: num_images and image_shape.
        available: Bytes of the files that hold the images.
        per_value: The fewest bytes that one value of an image can take; one of a soft
            label takes four.

    Raises:
        ValueError: there would have to be more bytes.
    """
    # Python's integers, which do not overflow.
    values = metadata["num_images"]
    for side in metadata["image_shape"]:
        values *= side
    logits = metadata["num_images"] * (num_logits(metadata) or 0)
    if values * per_value > available or 4 * logits > available:
        raise ValueError(f"{values} values do not fit into {available} bytes")
