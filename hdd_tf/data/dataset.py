"""The interface of a data set: splits, class names and normalisation."""

import dataclasses
import functools
import hashlib
from typing import Any

import numpy as np

from hdd_tf.data.memory import take_images
from hdd_tf.data.normalisation import Normalisation, Whitening
from hdd_tf.data.stored_images import ImageRows, StoredImages, chunks_of

# Name of the sum of a split, by which images on disk remember it.
CHECKSUM = "sha256"


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images of one split.

    Attributes:
        images: `[n, h, w, c]` uint8 images, in memory or on disk.
        labels: `[n]` int64 class numbers.
    """

    images: ImageRows
    labels: np.ndarray

    @functools.cached_property
    def checksum(self) -> str:
        """SHA-256 sum of all images and labels in their order, in hexadecimal."""
        if isinstance(self.images, StoredImages):
            return self.images.remembered(CHECKSUM, self._checksum, self.labels)
        return self._checksum()

    def _checksum(self) -> str:
        digest = hashlib.sha256()
        # Python handles signals only between blocks, so these are a few MB.
        for images in chunks_of(self.images):
            digest.update(np.ascontiguousarray(images).data)
        digest.update(np.ascontiguousarray(self.labels).data)
        return digest.hexdigest()

    def take(self, rows: np.ndarray) -> "LabelledImages":
        """Returns the images at `rows`, in that order, as a copy in memory."""
        labels = self.labels[rows]  # Raises for rows that there are not.
        if isinstance(self.images, StoredImages) or self.images.dtype != np.uint8:
            return LabelledImages(self.images[rows], labels)
        return LabelledImages(take_images(self.images, rows), labels)

    def select(self, rows: np.ndarray) -> "LabelledImages":
        """Returns the images at `rows`, in that order, where all of them are."""
        if isinstance(self.images, StoredImages):
            return LabelledImages(self.images.select(rows), self.labels[rows])
        return self.take(rows)


@dataclasses.dataclass(frozen=True, eq=False)
class SourceImages:
    """Images of a source, before a validation split is held out.

    The splits hold the images of the requested classes, numbered 0, 1, ...

    Attributes:
        name: Name of the data set, without aliases.
        training: Training split.
        validation: Validation split, or None if the source has none beside a test
            split.
        test: Test split.
        label_names: One name per requested class.
        num_training: Number of training images of all classes of the source.
        num_test: Number of test images of all classes of the source.
    """

    name: str
    training: LabelledImages
    validation: LabelledImages | None
    test: LabelledImages
    label_names: tuple[str, ...]
    num_training: int
    num_test: int


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """An image classification data set, in memory or on disk.

    Attributes:
        name: Name of the data set, without aliases.
        training: Images that are distilled.
        validation: Images that choose between results, or None; none of them is in
            `training`.
        test: Images that are evaluated once, at the end; empty if there is no test
            split.
        label_names: One name per class.
        mean: Mean of each channel on the 0-1 scale.
        std: Standard deviation of each channel on the 0-1 scale, > 0.
        whitening: Whitening that replaces `mean` and `std`, or None.
    """

    name: str
    training: LabelledImages
    validation: LabelledImages | None
    test: LabelledImages
    label_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    whitening: Whitening | None = None

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        height, width, channels = self.training.images.shape[1:]
        return height, width, channels

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.label_names)

    @property
    def smallest_class(self) -> tuple[str, int]:
        """Name of the class with fewest training images, and how many it has."""
        counts = np.bincount(self.training.labels, minlength=self.num_classes)
        return self.label_names[counts.argmin()], int(counts.min())

    @property
    def normalisation(self) -> Normalisation:
        """The map from pixels to a network's input."""
        return Normalisation(self.mean, self.std, self.whitening)

    def normalise(self, images: np.ndarray) -> np.ndarray:
        """Returns normalised images `[..., h, w, c]`, float32.

        Args:
            images: `[..., h, w, c]` uint8 or float on the 0-255 scale.
        """
        return self.normalisation.normalise(images)


def data_record(dataset: Dataset) -> dict[str, Any]:
    """Returns the entry of a run's `config.json` that describes its data.

    The entry has checksums, because a folder may hold other images under the same names
    when its run continues.
    """
    splits = {"training": dataset.training, "test": dataset.test}
    if dataset.validation is not None:
        splits["validation"] = dataset.validation
    return {
        "name": dataset.name,
        "label_names": dataset.label_names,
        "mean": dataset.mean,
        "std": dataset.std,
        "training_images": len(dataset.training.labels),
        "test_images": len(dataset.test.labels),
        **{f"{name}_sha256": split.checksum for name, split in splits.items()},
    }


def channel_statistics(
    images: ImageRows,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Returns mean and standard deviation of each channel on the 0-1 scale.

    The computation counts how often each of the 256 values occurs. So the sums are
    exact, and there is no float copy of the images.

    Args:
        images: `[n, h, w, c]` uint8.
    """
    if isinstance(images, StoredImages):
        mean, std = images.remembered("channels", lambda: _channel_statistics(images))
        return tuple(mean), tuple(std)
    return _channel_statistics(images)


def _channel_statistics(
    images: ImageRows,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    channels = images.shape[-1]
    counts = np.zeros((channels, 256), np.int64)
    # `bincount` converts its input to 64 bits, so a chunk has a few MB.
    chunk = max(1, 2**20 * len(images) // max(1, images.size))
    for start in range(0, len(images), chunk):
        part = images[start : start + chunk]
        for channel in range(channels):
            counts[channel] += np.bincount(part[..., channel].ravel(), minlength=256)
    values = np.arange(256) / 255.0
    frequency = counts / counts.sum(axis=1, keepdims=True)
    mean = frequency @ values
    variance = (frequency * (values - mean[:, None]) ** 2).sum(axis=1)
    return tuple(mean.tolist()), tuple(np.sqrt(variance).tolist())
