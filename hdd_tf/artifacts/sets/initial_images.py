"""The images that distillation starts from: real ones, noise, or an earlier set's."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from hdd_tf.artifacts.sets.distilled_set import find_distilled_set, read_distilled_set
from hdd_tf.augment import formation
from hdd_tf.data.class_store import ClassStore
from hdd_tf.errors import InputError
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.shipped.naming import place_of_set


def initial_images(
    init: str,
    store: ClassStore,
    ipc: int,
    seed: int,
    num_classes: int,
    formation_factor: int = 1,
    label_names: Sequence[str] = (),
) -> tf.Tensor:
    """Returns the images that distillation starts from.

    Args:
        init: `real`: random real images of each class, one in each cell of an image,
            shrunk bilinearly. `mix`: random real images, shrunk by nearest neighbour.
            `noise`: standard normal values in normalised space. `from:DIR`: the stored
            images of an earlier run or export in DIR, or of the set of that name that
            comes with hdd_tf.
        store: The real training images.
        ipc: Images per class.
        seed: Seed of the run.
        num_classes: Number of classes C.
        formation_factor: Cells along each side of an image, >= 1.
        label_names: Names of the classes for messages; empty for their numbers.

    Returns:
        `[C, ipc, h, w, c]` float32 normalised images.

    Raises:
        InputError: a class has too few images, or the set in DIR does not fit or is not
            there.
    """
    key = derive_key(seed, Purpose.INITIAL_IMAGES)
    shape = (num_classes, ipc, *store.image_shape)
    if init == "noise":
        return tf.random.stateless_normal(shape, key)
    if init in ("real", "mix"):
        cells = formation_factor**2
        rows, weights = store.draw_indices(key, ipc * cells)
        if rows.shape[1] < ipc * cells or tf.reduce_min(weights) == 0:
            label = int(tf.argmin(store.sizes))
            name = label_names[label] if label_names else f"class {label}"
            has = f"{name}: {int(store.sizes[label])} training images"
            needed = f" x {cells} cells" if cells > 1 else ""
            or_factor = " or --formation_factor" if cells > 1 else ""
            raise InputError(
                f"--ipc={ipc}{needed} is more than the smallest class has ({has}); "
                f"lower --ipc{or_factor} or use --init=noise."
            )
        method = "bilinear" if init == "real" else "nearest"
        rows = tf.reshape(rows, [num_classes * ipc, cells])
        images = formation.compose(store.gather(rows), formation_factor, method)
        return tf.reshape(images, shape)
    return _earlier_images(init, store, shape, formation_factor)


def _earlier_images(
    init: str, store: ClassStore, shape: tuple[int, ...], formation_factor: int
) -> tf.Tensor:
    """Returns the normalised images of `from:DIR`, `[C, ipc, h, w, c]`.

    Args:
        init: The value `from:DIR`.
        store: The real training images.
        shape: The shape `[C, ipc, h, w, c]` that the images must have.
        formation_factor: The formation factor that the images must have.

    Raises:
        InputError: the set in DIR does not fit.
    """
    num_classes, ipc = shape[:2]
    directory = find_distilled_set(place_of_set(init.removeprefix("from:")))
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
