import numpy as np
import pytest

from hdd_tf.artifacts.sets.distilled_set import DistilledSet


@pytest.fixture
def small_set() -> DistilledSet:
    """A set that carries nothing but images and labels."""
    return make_small_set()


def make_small_set() -> DistilledSet:
    """Returns two images of each of three classes, partly outside 0-255."""
    images = np.random.default_rng(0).normal(120, 150, [6, 7, 5, 3])
    assert images.min() < 0
    assert images.max() > 255
    return DistilledSet(
        images=images.astype(np.float32),
        labels=np.repeat(np.arange(3, dtype=np.int64), 2),
        metadata={
            "dataset": "shapes",
            "label_names": ["round", "a/b", "čtverec"],
            "mean": (0.1, np.float32(0.25), 0.3),
            "std": (0.5, 0.6, 0.7),
            "objective": "dm",
            "geometry": "hyperbolic",
            "source": {"seed": 3, "curvature": -1 / 3},
        },
    )
