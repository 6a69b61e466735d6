"""The synthetic set: a module whose parameters are the images.

Some methods also learn labels, or the learning rate of students. These are further
variables of the set, which other sets do not have.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.augment import formation
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.distributed.class_shares import ClassShares
from hdd_tf.distributed.spread_variable import SpreadVariable


class SyntheticSet(tf.Module):
    """Synthetic images as variables, `ipc` of each class.

    The values of the images' variable are in normalised space (DM, IDM), or in [0, 1],
    to which they are clipped after each iteration (DANCE). The set's scale is part of a
    checkpoint, so a checkpoint alone can be exported. The matrices of a whitening are
    stored with the run.

    Args:
        images: `[C, ipc, h, w, c]` float32 initial images, normalised.
        normalisation: Normalisation of the images.
        formation_factor: Cells along each side of an image, >= 1; an image holds
            `formation_factor ** 2` training images.
        unit_range: True if the variable's values are in [0, 1].
        label_logits: `[C, ipc, C]` initial logits of learnt soft labels; None if labels
            are not learnt.
        student_rate: Initial value of a learnt learning rate of students; None if the
            rate is not learnt.

    Attributes:
        formation_factor: Cells along each side of an image.
        images: Variable of the images, `[C, ipc, h, w, c]` float32.
        spread: The images as they are spread over replicas, each of which has those of
            its own classes; None if every replica has all.
        scale: Variable of the factors from the images to the 0-1 scale, `[c]`.
        offset: Variable of the summands from the images to the 0-1 scale, `[c]`.
        label_logits: Variable of the labels' logits, `[C, ipc, C]` float32, or None.
        student_rate: Variable of the students' learning rate, `[]` float32, or None.

    Raises:
        ValueError: the images are whitened, and `unit_range` is True or
            `formation_factor` above 1.
    """

    def __init__(
        self,
        images: tf.Tensor,
        normalisation: Normalisation,
        formation_factor: int = 1,
        unit_range: bool = False,
        label_logits: tf.Tensor | None = None,
        student_rate: float | None = None,
    ) -> None:
        super().__init__(name="synthetic_set")
        if normalisation.whitening is not None and (unit_range or formation_factor > 1):
            raise ValueError(
                "whitened images live in whitened space and hold one image each."
            )
        self.formation_factor = formation_factor
        self._normalisation = normalisation
        mean, std = normalisation.mean, normalisation.std
        self._mean = tf.constant(mean, tf.float32)
        self._std = tf.constant(std, tf.float32)
        self._unit_range = unit_range
        if unit_range:
            images = tf.clip_by_value(images * self._std + self._mean, 0.0, 1.0)
        # From the variable to the 0-1 scale.
        scale, offset = (1.0, 0.0) if unit_range else (self._std, self._mean)
        self.images = tf.Variable(images, name="images", dtype=tf.float32)
        self.spread: SpreadVariable | None = None
        self.scale = tf.Variable(
            tf.broadcast_to(scale, [len(std)]), trainable=False, name="scale"
        )
        self.offset = tf.Variable(
            tf.broadcast_to(offset, [len(std)]), trainable=False, name="offset"
        )
        # Checkpoints contain all variables, so only what is learnt is a variable.
        self.label_logits = self.student_rate = None
        if label_logits is not None:
            self.label_logits = tf.Variable(
                label_logits, name="label_logits", dtype=tf.float32
            )
        if student_rate is not None:
            self.student_rate = tf.Variable(
                student_rate, name="student_rate", dtype=tf.float32
            )

    @property
    def decoded_ipc(self) -> int:
        """Number of training images per class that the stored images hold."""
        return self.images.shape[1] * self.formation_factor**2

    def spread_over(
        self, strategy: tf.distribute.Strategy, shares: ClassShares
    ) -> SpreadVariable:
        """Gives each replica the images of its own classes, and no others.

        From then on replicas read images by `reader`; who reads all of them gathers
        them before.

        Args:
            strategy: Strategy of the replicas.
            shares: Split of the classes over them.
        """
        self.spread = SpreadVariable(self.images, shares, strategy)
        return self.spread

    def reader(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """Reads the images of a replica's classes; call it within `strategy.run`.

        Returns:
            Function from `[b]` int32 numbers of classes of the calling replica to their
            images `[b, ipc, h, w, c]`, as they were at the call of `reader`.
        """
        if self.spread is not None:
            return self.spread.reader()
        images = tf.convert_to_tensor(self.images)
        return lambda classes: tf.gather(images, classes)

    def decode(self, images: tf.Tensor) -> tf.Tensor:
        """Decodes stored images to the training images that networks see.

        Args:
            images: `[b, ipc, h, w, c]` images with values like those of the variable.

        Returns:
            `[b, decoded_ipc, h, w, c]` normalised images.
        """
        padding = (0.5 - self.offset) / self.scale
        images = formation.decode(images, self.formation_factor, padding)
        return (images - self._mean) / self._std if self._unit_range else images

    def training_images(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the images that networks train on.

        Returns:
            `[C * decoded_ipc, h, w, c]` decoded images, class by class, and their `[n]`
            int32 class numbers.
        """
        images = self.decode(tf.convert_to_tensor(self._whole_images()))
        num_classes, count = images.shape[:2]
        flat = tf.reshape(images, [num_classes * count, *images.shape[2:]])
        return flat, tf.repeat(tf.range(num_classes), count)

    def clip(self) -> None:
        """Clips the images to [0, 1] if `unit_range` is True."""
        if not self._unit_range:
            return
        if self.spread is None:
            self.images.assign(tf.clip_by_value(self.images, 0.0, 1.0))
        else:
            self.spread.map(lambda own: tf.clip_by_value(own, 0.0, 1.0))

    def pixels(self) -> np.ndarray:
        """Returns the images `[C, ipc, h, w, c]` on the 0-255 scale, not clipped."""
        images = self._whole_images().numpy()
        if self._normalisation.whitening is not None:
            return self._normalisation.to_pixels(images)
        # `numpy` has made a copy, which nobody else has.
        return to_pixels(images, self.scale.numpy(), self.offset.numpy(), out=images)

    def limits(self) -> tuple[float, float]:
        """Returns the least and the largest value on the 0-255 scale."""
        if self._normalisation.whitening is not None:
            pixels = self.pixels()
            return float(pixels.min()), float(pixels.max())
        # Scales are positive and rounding keeps order: the limits of each channel are
        # shown as the limits, and no copy of the images is made.
        images = tf.convert_to_tensor(self._whole_images())
        axes = list(range(images.shape.rank - 1))
        least, largest = (f(images, axes) for f in (tf.reduce_min, tf.reduce_max))
        return (
            float(tf.reduce_min(self.shown(least))),
            float(tf.reduce_max(self.shown(largest))),
        )

    def shown(self, images: tf.Tensor) -> tf.Tensor:
        """Returns images that are not whitened, on the 0-255 scale, not clipped.

        Args:
            images: `[..., h, w, c]` images with values like those of the variable.
        """
        return 255.0 * (images * self.scale + self.offset)

    def _whole_images(self) -> tf.Variable:
        """Returns the variable of all images.

        Raises:
            ValueError: replicas have changed their images since, which were not
                gathered.
        """
        if self.spread is not None and not self.spread.is_whole:
            raise ValueError("gather the images before you read them.")
        return self.images

    def distilled(self, metadata: Mapping[str, Any]) -> DistilledSet:
        """Returns the set in its present state, for files and evaluation.

        Args:
            metadata: Metadata of the set.
        """
        logits, rate = self.label_logits, self.student_rate
        return DistilledSet.from_class_images(
            self.pixels(),
            dict(metadata),
            label_logits=None if logits is None else logits.numpy(),
            student_rate=None if rate is None else float(rate.numpy()),
            whitening=self._normalisation.whitening,
        )


def to_pixels(
    images: np.ndarray,
    scale: np.ndarray,
    offset: np.ndarray,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Returns float32 images on the 0-255 scale, not clipped.

    Args:
        images: `[..., h, w, c]` images.
        scale: `[c]` factors from `images` to the 0-1 scale.
        offset: `[c]` summands from `images` to the 0-1 scale.
        out: Where to write them, which may be `images`; None for a new array.
    """
    # In place, for there can be a million of them.
    pixels = np.multiply(images, scale, out=out)
    pixels += offset
    pixels *= 255.0
    return pixels.astype(np.float32, copy=False)
