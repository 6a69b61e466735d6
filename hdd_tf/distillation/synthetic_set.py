"""The synthetic set: a module whose parameters are the images, and what goes with them.

Some methods learn labels too, or the rate at which students learn: these are further
variables of the set, and the sets without them have none.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from hdd_tf.artifacts.sets.distilled_set import (
    DistilledSet,
    find_distilled_set,
    read_distilled_set,
)
from hdd_tf.augment import formation
from hdd_tf.data.class_store import ClassStore
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.errors import InputError
from hdd_tf.random_keys import Purpose, derive_key


class SyntheticSet(tf.Module):
    """Synthetic images as variables, `ipc` of each class.

    The variable lives in normalised space (DM, IDM), or in [0, 1], where it is clipped
    after each iteration (DANCE). Its scale is saved with it, so a checkpoint alone can
    be exported; where images are whitened, the run keeps the matrices.

    Args:
        images: `[C, ipc, h, w, c]` float32, normalised as the networks see them.
        normalisation: How they are.
        formation_factor: Each stored image holds its square of training images.
        unit_range: Whether the variable lives in [0, 1].
        label_logits: `[C, ipc, C]`, where soft labels are learnt: their logits.
        student_rate: Where the students' learning rate is learnt: its start.

    Attributes:
        images: The variable of the images.
        label_logits: The variable of the labels' logits, or None.
        student_rate: The variable of the rate, `[]`, or None.

    Raises:
        ValueError: whitened images are to live in [0, 1] or to hold several each.
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
        self.scale = tf.Variable(
            tf.broadcast_to(scale, [len(std)]), trainable=False, name="scale"
        )
        self.offset = tf.Variable(
            tf.broadcast_to(offset, [len(std)]), trainable=False, name="offset"
        )
        # What is not learnt is no variable, so it is in no checkpoint.
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
        """Training images of each class that the stored ones hold."""
        return self.images.shape[1] * self.formation_factor**2

    def decode(self, images: tf.Tensor) -> tf.Tensor:
        """Returns what networks see of stored images.

        Args:
            images: `[b, ipc, h, w, c]`, values as the variable has them.

        Returns:
            `[b, decoded_ipc, h, w, c]` normalised images.
        """
        padding = (0.5 - self.offset) / self.scale
        images = formation.decode(images, self.formation_factor, padding)
        return (images - self._mean) / self._std if self._unit_range else images

    def clip(self) -> None:
        """Brings the images back into [0, 1], where they live there."""
        if self._unit_range:
            self.images.assign(tf.clip_by_value(self.images, 0.0, 1.0))

    def pixels(self) -> np.ndarray:
        """Returns the images `[C, ipc, h, w, c]` on the 0-255 scale, not clipped."""
        images = self.images.numpy()
        if self._normalisation.whitening is not None:
            return self._normalisation.to_pixels(images)
        return to_pixels(images, self.scale.numpy(), self.offset.numpy())

    def limits(self) -> tuple[float, float]:
        """Returns the least and the largest value on the 0-255 scale."""
        if self._normalisation.whitening is not None:
            pixels = self.pixels()
        else:
            pixels = 255.0 * (self.images * self.scale + self.offset)
        return float(tf.reduce_min(pixels)), float(tf.reduce_max(pixels))

    def distilled(self, metadata: Mapping[str, Any]) -> DistilledSet:
        """Returns the set as it is by now, for files and evaluation.

        Args:
            metadata: What is known of it.
        """
        logits, rate = self.label_logits, self.student_rate
        return DistilledSet.from_class_images(
            self.pixels(),
            dict(metadata),
            label_logits=None if logits is None else logits.numpy(),
            student_rate=None if rate is None else float(rate.numpy()),
            whitening=self._normalisation.whitening,
        )


def to_pixels(images: np.ndarray, scale: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Returns images on the 0-255 scale, float32, given their scale to 0-1."""
    return ((images * scale + offset) * 255.0).astype(np.float32)


def initial_images(
    init: str,
    store: ClassStore,
    ipc: int,
    seed: int,
    num_classes: int,
    formation_factor: int = 1,
) -> tf.Tensor:
    """Returns the images that distillation starts from.

    Args:
        init: `real`: random real images of each class, one in each cell of an image,
            shrunk bilinearly; `mix`: the same, shrunk to the nearest pixel; `noise`:
            standard normal in normalised space; or `from:DIR`: the set that an earlier
            run or export holds, as stored.
        store: The real training images.
        ipc: Images of each class.
        seed: Seed of the run.
        num_classes: C.
        formation_factor: Cells along each side of an image.

    Returns:
        `[C, ipc, h, w, c]` float32 normalised images.

    Raises:
        InputError: a class has fewer images than needed, or DIR's set does not fit.
    """
    key = derive_key(seed, Purpose.INITIAL_IMAGES)
    shape = (num_classes, ipc, *store.image_shape)
    if init == "noise":
        return tf.random.stateless_normal(shape, key)
    if init in ("real", "mix"):
        cells = formation_factor**2
        rows, weights = store.draw_indices(key, ipc * cells)
        if rows.shape[1] < ipc * cells or tf.reduce_min(weights) == 0:
            smallest = int(tf.reduce_min(store.sizes))
            needed = f" x {cells} cells" if cells > 1 else ""
            raise InputError(
                f"--ipc={ipc}{needed} is more than the smallest class has ({smallest} "
                "training images); lower --ipc or use --init=noise."
            )
        method = "bilinear" if init == "real" else "nearest"
        rows = tf.reshape(rows, [num_classes * ipc, cells])
        images = formation.compose(store.gather(rows), formation_factor, method)
        return tf.reshape(images, shape)
    return _earlier_images(init, store, shape, formation_factor)


def _earlier_images(
    init: str, store: ClassStore, shape: tuple[int, ...], formation_factor: int
) -> tf.Tensor:
    """Returns the images of `init`'s directory as `initial_images` does."""
    num_classes, ipc = shape[:2]
    directory = find_distilled_set(init.removeprefix("from:"))
    earlier = read_distilled_set(directory)
    found = (len(earlier.images), *earlier.images.shape[1:])
    if found != (num_classes * ipc, *store.image_shape):
        raise InputError(
            f"--init={init} holds {found[0]} images of shape {found[1:]}, but this run "
            f"needs {num_classes} classes x {ipc} of {store.image_shape}."
        )
    factor = earlier.metadata["formation_factor"]
    if factor != formation_factor:
        raise InputError(
            f"--init={init} holds images of --formation_factor={factor}: give the same."
        )
    order = np.argsort(earlier.labels, kind="stable")
    if not np.array_equal(
        earlier.labels[order], np.repeat(np.arange(num_classes), ipc)
    ):
        raise InputError(
            f"--init={init} does not hold {ipc} images of each of the {num_classes} "
            "classes."
        )
    return tf.reshape(store.normalise(earlier.images[order]), shape)
