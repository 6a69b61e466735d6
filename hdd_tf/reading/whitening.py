"""Data sets with the whitening of their training split."""

import dataclasses
import math

from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset
from hdd_tf.data.memory import available_memory
from hdd_tf.data.normalisation import whitening_of
from hdd_tf.errors import InputError


def whitened_for(config: Config, dataset: Dataset) -> Dataset:
    """Returns a data set with the whitening of its training split, if needed.

    Args:
        config: Settings of the run.
        dataset: The data set.

    Raises:
        InputError: memory cannot hold the whitening of such images.
    """
    if not config.zca:
        return dataset
    return whitened(dataset, f"--objective={config.objective} --zca")


def whitened(dataset: Dataset, asked_by: str) -> Dataset:
    """Returns a data set with the whitening of its training split.

    Args:
        dataset: The data set.
        asked_by: The flag that asks for it, for messages.

    Raises:
        InputError: memory cannot hold the whitening of such images.
    """
    # The covariance, its eigenvectors and a copy of them, in float64.
    size = math.prod(dataset.image_shape)
    needed, available = 3 * 8 * size**2, available_memory()
    if available is not None and needed > available:
        raise InputError(
            f"{asked_by} whitens images, which for "
            f"{dataset.image_shape} ones takes {needed / 2**30:.1f} GiB, and "
            f"{available / 2**30:.1f} GiB are available: give a smaller --image_size."
        )
    whitening = whitening_of(dataset.training.images)
    return dataclasses.replace(dataset, whitening=whitening)
