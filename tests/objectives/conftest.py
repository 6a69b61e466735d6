"""A small data set, and a step on it in which everything is as published but small."""

import types

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.data.class_store import ClassStore
from hdd_tf.data.dataset import Dataset, LabelledImages
from hdd_tf.distillation.classwise import ClasswiseMatching
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.step import DistillationStep
from hdd_tf.geometry.euclidean import EuclideanGeometry
from hdd_tf.geometry.hyperbolic import HyperbolicGeometry
from hdd_tf.networks.registry import build_network
from hdd_tf.objectives.features import FeatureComparison

MEAN, STD = (0.4, 0.5), (0.3, 0.2)
CLASSES = 5
GEOMETRIES = {
    "hyperbolic": lambda: HyperbolicGeometry(-0.5, "expmap0", 10.0, 20.0),
    "euclidean": EuclideanGeometry,
}


class SmallProblem:
    """Five classes of 20-24 images of 8x8 pixels and two channels."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.labels = np.repeat(np.arange(CLASSES), [20, 21, 22, 23, 24])
        shape = (len(self.labels), 8, 8, 2)
        images = rng.integers(0, 120, shape) + 25 * self.labels[:, None, None, None]
        self.images = images.astype(np.uint8)
        training = LabelledImages(self.images, self.labels)
        names = tuple(map(str, range(CLASSES)))
        nothing = training.take(np.arange(0))
        self.dataset = Dataset("small", training, None, nothing, names, MEAN, STD)
        self.store = ClassStore(
            self.images, self.labels, CLASSES, self.dataset.normalisation
        )
        self.network = build_network("convnet", (8, 8, 2), CLASSES, 2, 8)

    def context(self, strategy, **settings):
        """What methods are built from, with settings that no name brings along."""
        config = {
            "init": "real", "ipc": 2, "seed": 3, "formation_factor": 2,
            "real_batch": 20, "real_bank_size": 0, "bank_over": "batch",
            "image_momentum": 0.5, "width": 8, "precision": "float32",
            "jit_compile": "off", "max_images_per_forward": 10_000,
        } | settings  # fmt: skip
        return MethodContext(
            types.SimpleNamespace(**config), self.dataset, self.network, strategy
        )

    def step(
        self,
        objective,
        strategy,
        geometry="hyperbolic",
        unit_range=False,
        max_images=10_000,
        max_decoded=0,
        rate=0.5,
        names=("color", "crop", "cutout"),
        bank_size=0,
        comparison=None,
    ):
        """Returns a step and its synthetic set."""
        context = self.context(
            strategy,
            image_lr=rate,
            real_bank_size=bank_size,
            max_images_per_forward=max_images,
            traits=types.SimpleNamespace(update_per_class=True, unit_range=unit_range),
        )
        choice = dsa.dance_choice(names) if unit_range else dsa.Choice(one_of=names)
        if comparison is None:
            comparison = FeatureComparison(self.network, GEOMETRIES[geometry]())
        method = ClasswiseMatching(context, objective, comparison, choice, max_decoded)
        method.train_ahead()
        method.assemble()
        return DistillationStep(method), method.synthetic_set


@pytest.fixture(scope="session")
def problem():
    return SmallProblem()


@pytest.fixture(scope="session")
def one_device():
    return tf.distribute.OneDeviceStrategy("CPU:0")
