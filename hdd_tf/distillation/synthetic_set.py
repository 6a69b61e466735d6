"""The synthetic set: a module whose parameters are the images."""

import numpy as np
import tensorflow as tf

from hdd_tf.artifacts.distilled_set import find_distilled_set, read_distilled_set
from hdd_tf.augment import formation
from hdd_tf.data.class_store import ClassStore
from hdd_tf.errors import InputError
from hdd_tf.random_keys import Purpose, derive_key


class SyntheticSet(tf.Module):
    """Synthetic images as variables, `ipc` of each class.

    The variable lives in normalised space (DM, IDM), or in [0, 1], where it is clipped
    after each iteration (DANCE). Its scale is saved with it, so a checkpoint alone can
    be exported.

    Args:
        images: `[C, ipc, h, w, c]` float32, normalised as the networks see them.
        mean: Per channel, in units of the 0-1 scale.
        std: Likewise.
        formation_factor: Each stored image holds its square of training images.
        unit_range: Whether the variable lives in [0, 1].
    """

    def __init__(
        self,
        images: tf.Tensor,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        formation_factor: int = 1,
        unit_range: bool = False,
    ) -> None:
        super().__init__(name="synthetic_set")
        self.formation_factor = formation_factor
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
        return to_pixels(self.images.numpy(), self.scale.numpy(), self.offset.numpy())


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
