"""What the rest of the program knows of a data set: splits, names, normalisation."""

import dataclasses
import functools
import hashlib

import numpy as np

from hdd_tf.data.normalisation import Normalisation, Whitening


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images of one split.

    Attributes:
        images: `[n, h, w, c]` uint8.
        labels: `[n]` int64.
    """

    images: np.ndarray
    labels: np.ndarray

    @functools.cached_property
    def checksum(self) -> str:
        """SHA-256 sum of all images and labels in their order, as hexadecimal."""
        digest = hashlib.sha256()
        for values in (self.images, self.labels):
            # A few MB at a time: in between, signals are heard.
            rows = max(1, 2**24 // max(1, values[:1].nbytes))
            for start in range(0, len(values), rows):
                digest.update(np.ascontiguousarray(values[start : start + rows]).data)
        return digest.hexdigest()

    def take(self, rows: np.ndarray) -> "LabelledImages":
        """Returns the images at `rows`, in that order, as a copy."""
        return LabelledImages(self.images[rows], self.labels[rows])


@dataclasses.dataclass(frozen=True, eq=False)
class SourceImages:
    """What a source of images gives, before anything is held out or normalised.

    Attributes:
        name: Name of the data set, without aliases.
        training: Images of the classes asked for, numbered 0, 1, ...
        validation: Likewise, if the source has such a split beside a test split.
        test: Likewise.
        label_names: One name per class that was kept.
        num_training: Training images of all classes, kept or not.
        num_test: Likewise.
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
    """An image classification data set in memory.

    Attributes:
        name: Name of the data set, without aliases.
        training: What is distilled.
        validation: What chooses between results, or None; no image of it is in
            `training`.
        test: What is read once at the end. Empty if none was given.
        label_names: One name per class.
        mean: Per channel, in units of the 0-1 scale.
        std: Likewise, above 0.
        whitening: Where it is given, networks take whitened images instead.
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
        """Height, width and channels."""
        height, width, channels = self.training.images.shape[1:]
        return height, width, channels

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.label_names)

    @property
    def normalisation(self) -> Normalisation:
        """What happens to pixels before a network sees them."""
        return Normalisation(self.mean, self.std, self.whitening)

    def normalise(self, images: np.ndarray) -> np.ndarray:
        """Returns images as networks take them, float32.

        Args:
            images: `[..., h, w, c]` uint8 or float on the 0-255 scale.
        """
        return self.normalisation.normalise(images)


def channel_statistics(
    images: np.ndarray,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Returns mean and standard deviation of each channel on the 0-1 scale.

    Counts how often each of the 256 values occurs, so the sums are exact and no float
    copy of the images is made.

    Args:
        images: `[n, h, w, c]` uint8.
    """
    channels = images.shape[-1]
    counts = np.zeros((channels, 256), np.int64)
    # `bincount` widens what it counts to 64 bits: a few MB at a time.
    chunk = max(1, 2**20 // max(1, images[:1].size))
    for start in range(0, len(images), chunk):
        part = images[start : start + chunk]
        for channel in range(channels):
            counts[channel] += np.bincount(part[..., channel].ravel(), minlength=256)
    values = np.arange(256) / 255.0
    frequency = counts / counts.sum(axis=1, keepdims=True)
    mean = frequency @ values
    variance = (frequency * (values - mean[:, None]) ** 2).sum(axis=1)
    return tuple(mean.tolist()), tuple(np.sqrt(variance).tolist())
