"""From a set as it is stored to the images that networks train on."""

import dataclasses

import numpy as np
import tensorflow as tf

from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.augment import formation
from hdd_tf.data.memory import available_memory
from hdd_tf.errors import InputError

# What fills up images that the factor does not divide: grey, on the 0-255 scale.
_PADDING = 127.5


def decode_set(stored: DistilledSet) -> DistilledSet:
    """Decodes a set of multi-formation images, each class by itself.

    Args:
        stored: A set; its metadata says its `formation_factor`.

    Returns:
        `formation_factor ** 2` images for each stored one, marked `decoded`, with the
        `ipc` of the stored set; each has the soft label of the image that it is a part
        of. A set without formation, or decoded already, is returned as it is.

    Raises:
        InputError: memory cannot hold the decoded images, or the set has labels of
            views of the stored ones.
    """
    factor = int(stored.metadata.get("formation_factor", 1))
    if factor == 1 or stored.metadata.get("decoded", False):
        return stored
    # Each of its factor^2 parts is enlarged to a whole image; a set from elsewhere may
    # say that a part is a single pixel.
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
        # Decoding gives the first part of all images, then the next.
        rows.append(np.tile(row, factor**2))
    ipc = int(np.bincount(stored.labels).max())
    metadata = {"ipc": ipc, **stored.metadata, "decoded": True}
    # Of the stored images rounded; rounding after decoding is another thing.
    metadata.pop("accuracy", None)
    # What else belongs to a stored image belongs to each of its parts.
    logits = stored.label_logits
    return dataclasses.replace(
        stored,
        images=np.concatenate(images),
        labels=np.concatenate(labels),
        label_logits=None if logits is None else logits[np.concatenate(rows)],
        metadata=metadata,
    )
