"""The toy methods by name, and a small data set to try them on."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.data.dataset import Dataset, LabelledImages
from hdd_tf.methods.registry import METHODS
from tests.toys import attention, kernel, labels, stitched

# Those with iterations.
ITERATIVE = {
    "toy_attention": attention,
    "toy_kernel": kernel,
    "toy_labels": labels,
}


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """One entry of the registry is all that a method needs."""
    for name, module in {**ITERATIVE, "toy_stitched": stitched}.items():
        monkeypatch.setitem(METHODS, name, module.TRAITS)


@pytest.fixture(scope="session")
def dataset():
    """Five classes of 12-16 images of 8x8 pixels, each class of its own brightness."""
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(5), [12, 13, 14, 15, 16])
    images = (
        rng.integers(0, 120, (len(truth), 8, 8, 1)) + 25 * truth[:, None, None, None]
    )
    training = LabelledImages(images.astype(np.uint8), truth)
    nothing = training.take(np.arange(0))
    return Dataset("small", training, None, nothing, tuple("abcde"), (0.4,), (0.3,))


@pytest.fixture(scope="session")
def one_device():
    return tf.distribute.OneDeviceStrategy("CPU:0")
