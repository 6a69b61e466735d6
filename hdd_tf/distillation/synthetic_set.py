"""The synthetic set: a module whose parameters are the images."""

import numpy as np
import tensorflow as tf

from hdd_tf.artifacts.distilled_set import find_distilled_set, read_distilled_set
from hdd_tf.data.class_store import ClassStore
from hdd_tf.errors import InputError
from hdd_tf.random_keys import Purpose, derive_key


class SyntheticSet(tf.Module):
    """Synthetic images as variables, `ipc` of each class.

    The normalisation is saved with them, so a checkpoint alone can be exported.

    Args:
        images: `[C, ipc, h, w, c]` float32, normalised as the networks see them.
        mean: Per channel, in units of the 0-1 scale.
        std: Likewise.
    """

    def __init__(
        self, images: tf.Tensor, mean: tuple[float, ...], std: tuple[float, ...]
    ) -> None:
        super().__init__(name="synthetic_set")
        self.images = tf.Variable(images, name="images", dtype=tf.float32)
        self.mean = tf.Variable(mean, trainable=False, name="mean", dtype=tf.float32)
        self.std = tf.Variable(std, trainable=False, name="std", dtype=tf.float32)

    def pixels(self) -> np.ndarray:
        """Returns the images `[C, ipc, h, w, c]` on the 0-255 scale, not clipped."""
        return pixels_from_normalised(
            self.images.numpy(), self.mean.numpy(), self.std.numpy()
        )


def pixels_from_normalised(
    images: np.ndarray, mean: np.ndarray, std: np.ndarray
) -> np.ndarray:
    """Undoes `(x / 255 - mean) / std`."""
    return ((images * std + mean) * 255.0).astype(np.float32)


def initial_images(
    init: str, store: ClassStore, ipc: int, seed: int, num_classes: int
) -> tf.Tensor:
    """Returns the images that distillation starts from.

    Args:
        init: `real`: random real images of each class, `noise`: standard normal in
            normalised space, or `from:DIR`: the set that an earlier run or export
            holds.
        store: The real training images.
        ipc: Images of each class.
        seed: Seed of the run.
        num_classes: C.

    Returns:
        `[C, ipc, h, w, c]` float32 normalised images.

    Raises:
        InputError: a class has fewer than `ipc` images, or DIR's set does not fit.
    """
    key = derive_key(seed, Purpose.INITIAL_IMAGES)
    shape = (num_classes, ipc, *store.image_shape)
    if init == "noise":
        return tf.random.stateless_normal(shape, key)
    if init == "real":
        rows, weights = store.draw_indices(key, ipc)
        if rows.shape[1] < ipc or tf.reduce_min(weights) == 0:
            smallest = int(tf.reduce_min(store.sizes))
            raise InputError(
                f"--ipc={ipc} is more than the smallest class has ({smallest} training "
                "images); lower --ipc or use --init=noise."
            )
        return store.gather(rows)
    directory = find_distilled_set(init.removeprefix("from:"))
    earlier = read_distilled_set(directory)
    found = (len(earlier.images), *earlier.images.shape[1:])
    if found != (num_classes * ipc, *store.image_shape):
        raise InputError(
            f"--init={init} holds {found[0]} images of shape {found[1:]}, but this run "
            f"needs {num_classes} classes x {ipc} of {store.image_shape}."
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
