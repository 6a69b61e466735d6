"""The contents of a distilled set: images, labels, and data learnt with them."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
import tensorflow as tf

from hdd_tf.artifacts import run_records
from hdd_tf.data.epoch_labels import EpochLabels
from hdd_tf.data.normalisation import Normalisation, Whitening
from hdd_tf.networks.teacher import Teacher

_REQUIRED = ("dataset", "label_names", "mean", "std", "objective", "geometry", "source")
# Bound on lists in a recipe; a learning rate for each epoch is a long one.
_LONGEST_LIST = 10_000


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DistilledSet:
    """Synthetic images with their labels and metadata.

    `images, labels = distilled_set` takes the two apart.

    Attributes:
        images: `[n, h, w, c]` float32 on the 0-255 scale, not clipped.
        labels: `[n]` int64.
        metadata: Entries dataset, label_names, mean and std (per channel, of images
            scaled to 0-1), objective, geometry and source (the run's configuration).
            Optional entries are ipc, formation_factor (a stored image is a grid of
            factor x factor training images), decoded (True if these are cut out) and
            recipe (the training of networks on the set: a flat object of numbers, texts
            and short lists) and classes (the integer label that each class had in
            arrays that were distilled, where these were not 0, ..., C - 1). A set read
            from files has all entries of `hdd_tf.json`.
        label_logits: `[n, C]` float32 logits, whose softmax are soft labels.
        student_rate: Learning rate that was learnt with the images, of any sign.
        teacher: Networks whose mean logits are the labels of a student's views.
        epoch_labels: Labels of every view of the images in a number of epochs.
        whitening: Whitening of the images, which replaces mean and std.
        beside: Images of other sets by name, `[n, h, w, c]` float32 with the labels of
            `images`, which an evaluation scores beside this set; or None.

    Raises:
        ValueError: the parts do not match each other.
    """

    images: np.ndarray
    labels: np.ndarray
    metadata: dict[str, Any]
    label_logits: np.ndarray | None = None
    student_rate: float | None = None
    teacher: Teacher | None = None
    epoch_labels: EpochLabels | None = None
    whitening: Whitening | None = None
    beside: Mapping[str, np.ndarray] | None = None

    def __post_init__(self) -> None:
        images = self.images
        if images.ndim != 4 or images.dtype != np.float32 or not images.size:
            raise ValueError(
                "`images` must be float32 [n, h, w, c] and not empty. "
                f"Received: {images.dtype} {images.shape}."
            )
        if self.labels.shape != self.images.shape[:1] or self.labels.dtype != np.int64:
            raise ValueError(
                f"`labels` must be int64 [{len(self.images)}]. "
                f"Received: {self.labels.dtype} {self.labels.shape}."
            )
        missing = [key for key in _REQUIRED if key not in self.metadata]
        if missing:
            raise ValueError(f"`metadata` lacks {', '.join(missing)}.")
        names = [str(name) for name in self.metadata["label_names"]]
        if len(set(names)) < len(names) or not all(name.strip() for name in names):
            raise ValueError(f"`label_names` must be distinct words, not {names}.")
        if not np.isin(self.labels, np.arange(len(names))).all():
            raise ValueError(f"`labels` must be in [0, {len(names)}), one a name.")
        if len(self.metadata.get("classes", names)) != len(names):
            raise ValueError(f"`classes` must have {len(names)} values, one a name.")
        for key in ("mean", "std"):
            if len(self.metadata[key]) != self.images.shape[-1]:
                raise ValueError(
                    f"`{key}` must have {self.images.shape[-1]} values, one a channel. "
                    f"Received: {self.metadata[key]}."
                )
        self._check_extras(len(names))

    def _check_extras(self, num_classes: int) -> None:
        count, image_shape = len(self.images), self.images.shape[1:]
        logits, rate = self.label_logits, self.student_rate
        if logits is not None and (
            logits.shape != (count, num_classes)
            or logits.dtype != np.float32
            or not np.isfinite(logits).all()
        ):
            raise ValueError(
                f"`label_logits` must be finite float32 [{count}, {num_classes}]. "
                f"Received: {logits.dtype} {logits.shape}."
            )
        if rate is not None and not np.isfinite(rate):
            raise ValueError(f"`student_rate` must be finite. Received: {rate}.")
        if self.teacher is not None:
            taken = tuple(self.teacher.image_shape), self.teacher.num_classes
            if taken != (image_shape, num_classes):
                raise ValueError(
                    f"`teacher` must take {image_shape} images of {num_classes} "
                    f"classes. Received: {taken[0]} and {taken[1]}."
                )
        if self.epoch_labels is not None:
            height, width, _ = image_shape
            self.epoch_labels.check_images(count, height, width, num_classes)
        if self.whitening is not None:
            size = int(np.prod(image_shape))
            if self.whitening.mean.size != size:
                raise ValueError(
                    f"`whitening` must be of {size} values, those of an image. "
                    f"Received: {self.whitening.mean.size}."
                )
        for name, images in (self.beside or {}).items():
            if images.shape != self.images.shape or images.dtype != np.float32:
                raise ValueError(
                    f"`beside` must be float32 {self.images.shape}, as the images. "
                    f"Received: {images.dtype} {images.shape} of {name}."
                )
        if "recipe" in self.metadata and not is_recipe(self.metadata["recipe"]):
            raise ValueError(
                "`recipe` must be a flat object of numbers, texts, booleans and short "
                f"lists. Received: {self.metadata['recipe']!r:.200}."
            )

    @classmethod
    def from_class_images(
        cls,
        images: np.ndarray,
        metadata: dict[str, Any],
        label_logits: np.ndarray | None = None,
        **extras: Any,
    ) -> Self:
        """Makes a set from images in class order.

        Args:
            images: `[classes, ipc, h, w, c]` on the 0-255 scale.
            metadata: Metadata, see the class.
            label_logits: `[classes, ipc, C]`, or None.
            **extras: Attributes student_rate, teacher, epoch_labels, whitening and
                beside.

        Raises:
            ValueError: the parts do not match each other.
        """
        classes, ipc = images.shape[:2]
        labels = np.repeat(np.arange(classes, dtype=np.int64), ipc)
        flat = np.asarray(images, np.float32).reshape(classes * ipc, *images.shape[2:])
        if label_logits is not None:
            label_logits = np.asarray(label_logits, np.float32)
            label_logits = label_logits.reshape(classes * ipc, -1)
        return cls(flat, labels, metadata, label_logits, **extras)

    @property
    def class_names(self) -> tuple[str, ...]:
        """A name of each class, in the order of the labels."""
        return tuple(str(name) for name in self.metadata["label_names"])

    @property
    def mean(self) -> tuple[float, ...]:
        """Mean of each channel on the 0-1 scale, which networks subtract."""
        return self.normalisation.mean

    @property
    def std(self) -> tuple[float, ...]:
        """Standard deviation of each channel on the 0-1 scale."""
        return self.normalisation.std

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter((self.images, self.labels))

    def __repr__(self) -> str:
        return f"DistilledSet({self.summary()})"

    def summary(self) -> str:
        """Returns the set's size and origin in a few words."""
        shape = " x ".join(map(str, self.images.shape[1:]))
        return (
            f"{len(self.images)} images of {shape}, {len(self.class_names)} classes, "
            f"{self.metadata['dataset']}"
        )

    def tf_dataset(
        self, batch_size: int | None = None, *, normalised: bool = True
    ) -> tf.data.Dataset:
        """Returns the examples for `keras.Model.fit` and the like, in the set's order.

        Args:
            batch_size: Of batches; None for single examples.
            normalised: Whether images are as networks take them, or on the 0-255
                scale.

        Returns:
            Pairs of an image, float32, and its label, int64.
        """
        images = self.images
        if normalised:
            images = self.normalisation.normalise(images)
        examples = tf.data.Dataset.from_tensor_slices((images, self.labels))
        return examples if batch_size is None else examples.batch(batch_size)

    @property
    def normalisation(self) -> Normalisation:
        """Normalisation of the images before a network takes them."""
        mean, std = (
            tuple(float(value) for value in self.metadata[key])
            for key in ("mean", "std")
        )
        return Normalisation(mean, std, self.whitening)

    def take(self, rows: np.ndarray) -> Self:
        """Returns the set of some images, without epoch labels.

        Epoch labels describe batches of the whole set, and so do not apply to a part.

        Args:
            rows: `[m]` indices of the images.
        """
        logits, beside = self.label_logits, self.beside
        return dataclasses.replace(
            self,
            images=self.images[rows],
            labels=self.labels[rows],
            label_logits=None if logits is None else logits[rows],
            epoch_labels=None,
            beside=beside and {name: each[rows] for name, each in beside.items()},
        )


def is_recipe(value: Any) -> bool:
    """Returns True if a value can be a set's recipe: a flat object of simple values."""
    return isinstance(value, Mapping) and all(
        isinstance(key, str)
        and (
            _is_simple(item)
            or (
                isinstance(item, list | tuple)
                and len(item) <= _LONGEST_LIST
                and all(map(_is_simple, item))
            )
        )
        for key, item in value.items()
    )


def _is_simple(value: Any) -> bool:
    return (
        value is None or isinstance(value, str | bool) or run_records.is_number(value)
    )
