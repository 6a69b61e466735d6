"""A data set of colour images without files, and a set of its images."""

import numpy as np
import pytest

from hdd_tf.data.dataset import Dataset, LabelledImages

NAMES = ("cat", "dog", "sea lion")
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)


@pytest.fixture(scope="session")
def dataset():
    """Smooth images of three classes, as bright and as varied as CIFAR's."""
    rng = np.random.default_rng(0)
    waves = rng.normal(size=(48, 3, 4, 3)).repeat(2, axis=1).repeat(2, axis=2)
    pixels = 255 * (np.array(MEAN) + np.array(STD) * waves)
    labels = np.arange(48) % 3
    split = LabelledImages(np.clip(pixels, 0, 255).astype(np.uint8), labels)
    return Dataset("smooth", split, None, split, NAMES, MEAN, STD)


@pytest.fixture(scope="session")
def images(dataset):
    """Twelve of them, `[12, 6, 8, 3]` uint8."""
    return dataset.training.images[:12]


@pytest.fixture(scope="session")
def labels(dataset):
    """Their classes, `[12]` int64."""
    return dataset.training.labels[:12]


def normalised(images):
    """Returns images as PyTorch programs keep them: normalised, channels first."""
    values = (images / 255 - np.array(MEAN)) / np.array(STD)
    return np.moveaxis(values, -1, 1).astype(np.float32)
