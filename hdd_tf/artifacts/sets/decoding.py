"""Decodes a stored set into the images that networks train on."""

import dataclasses

import numpy as np
import tensorflow as tf

from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.augment import formation
from hdd_tf.data.memory import available_memory
from hdd_tf.errors import InputError

# Grey padding of images that the factor does not divide, on the 0-255 scale.
_PADDING = 127.5


def decode_set(stored: DistilledSet) -> DistilledSet:
    """Decodes a set of multi-formation images, each class by itself.

    Args:
        stored: A set whose metadata have its `formation_factor`.

    Returns:
        A set marked `decoded`, with `formation_factor ** 2` images for each stored
        image and the `ipc` of the stored set. Each image has the soft label of its
        stored image. A set without formation, or a decoded set, is returned unchanged.

    Raises:
        InputError: memory cannot hold the decoded images, or the set has epoch labels,
            which label views of the stored images.
    """
    factor = int(stored.metadata.get("formation_factor", 1))
    if factor == 1 or stored.metadata.get("decoded", False):
        return stored
    # Each of the factor^2 parts of an image is enlarged to a whole image. In a foreign
    # set a part may be as small as a pixel, so the decoded set may be huge.
    needed, available = stored.images.nbytes * factor**2, available_memory()
    if available is not None and needed > available:
        raise InputError(
            f"the images decoded by formation_factor {factor} need {needed:,} bytes, "
            f"and {available:,} are available: use a set that says a smaller one"
        )
    if stored.epoch_labels is not None:
        raise InputError(
            f"the set has labels of views of its images as they are stored, and each "
            f"holds {factor**2} training images: it cannot be decoded"
        )
    images, labels, rows = [], [], []
    for label in np.unique(stored.labels):
        row = np.flatnonzero(stored.labels == label)
        own = tf.constant(stored.images[row])
        images.append(formation.decode(own, factor, _PADDING).numpy())
        labels.append(np.full(len(images[-1]), label, np.int64))
        # Decoding gives the first part of all images, then the second, and so on.
        rows.append(np.tile(row, factor**2))
    ipc = int(np.bincount(stored.labels).max())
    metadata = {"ipc": ipc, **stored.metadata, "decoded": True}
    # The entry is about rounded stored images; rounding decoded images differs.
    metadata.pop("accuracy", None)
    # Each part has the soft label of its stored image.
    logits = stored.label_logits
    return dataclasses.replace(
        stored,
        images=np.concatenate(images),
        labels=np.concatenate(labels),
        label_logits=None if logits is None else logits[np.concatenate(rows)],
        beside=None,
        metadata=metadata,
    )
