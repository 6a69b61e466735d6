"""Small images of two classes, of which one is brighter, for trainings in tests."""

import numpy as np

from hdd_tf.data.dataset import Dataset, LabelledImages


def blobs():
    """Returns 70 grey images of 8x8 as a data set's training split."""
    rng = np.random.default_rng(0)
    labels = np.arange(70) % 2
    images = rng.integers(0, 120, (70, 8, 8, 1)) + 90 * labels[:, None, None, None]
    training = LabelledImages(images.astype(np.uint8), labels)
    empty = training.take(np.arange(0))
    return Dataset("blobs", training, None, empty, ("a", "b"), (0.5,), (0.25,))
