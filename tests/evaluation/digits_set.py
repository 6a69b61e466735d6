"""A set for tests that train on one: real digits, as if they were distilled."""

import numpy as np

from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.data.dataset import Dataset


def digits_set(dataset: Dataset, ipc: int) -> DistilledSet:
    """Returns the first `ipc` training images of each of the ten classes."""
    labels = dataset.training.labels
    rows = np.stack([np.flatnonzero(labels == label)[:ipc] for label in range(10)])
    metadata = {
        "dataset": "digits",
        "ipc": ipc,
        "objective": "dm",
        "geometry": "euclidean",
        "label_names": list(dataset.label_names),
        "mean": dataset.mean,
        "std": dataset.std,
        "source": {"seed": 0},
    }
    images = dataset.training.images[rows].astype(np.float32)
    return DistilledSet.from_class_images(images, metadata)
