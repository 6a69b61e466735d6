"""From a set as it is stored to the images that networks train on."""

import numpy as np
import tensorflow as tf

from hdd_tf.artifacts.distilled_set import DistilledSet
from hdd_tf.augment import formation

# What fills up images that the factor does not divide: grey, on the 0-255 scale.
_PADDING = 127.5


def decode_set(stored: DistilledSet) -> DistilledSet:
    """Decodes a set of multi-formation images, each class by itself.

    Args:
        stored: A set; its metadata says its `formation_factor`.

    Returns:
        `formation_factor ** 2` images for each stored one, marked `decoded`, with the
        `ipc` of the stored set. A set without formation, or decoded already, is
        returned as it is.
    """
    factor = int(stored.metadata.get("formation_factor", 1))
    if factor == 1 or stored.metadata.get("decoded", False):
        return stored
    images, labels = [], []
    for label in np.unique(stored.labels):
        own = tf.constant(stored.images[stored.labels == label])
        images.append(formation.decode(own, factor, _PADDING).numpy())
        labels.append(np.full(len(images[-1]), label, np.int64))
    ipc = int(np.bincount(stored.labels).max())
    metadata = {"ipc": ipc, **stored.metadata, "decoded": True}
    # Of the stored images rounded; rounding after decoding is another thing.
    metadata.pop("accuracy", None)
    return DistilledSet(np.concatenate(images), np.concatenate(labels), metadata)
