"""A small data set, and a step on it in which everything is as published but small."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.data.class_store import ClassStore
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.distillation.class_blocks import plan_class_blocks
from hdd_tf.distillation.class_matching import ClassMatching
from hdd_tf.distillation.image_sgd import ImageSGD
from hdd_tf.distillation.real_bank import RealBank
from hdd_tf.distillation.step import DistillationStep
from hdd_tf.distillation.synthetic_set import SyntheticSet, initial_images
from hdd_tf.geometry.registry import EuclideanGeometry, HyperbolicGeometry
from hdd_tf.networks.registry import build_network

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
        self.store = ClassStore(
            self.images, self.labels, CLASSES, Normalisation(MEAN, STD)
        )
        self.network = build_network("convnet", (8, 8, 2), CLASSES, 2, 8)

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
    ):
        """Returns a step and its synthetic set."""
        start = initial_images("real", self.store, 2, 3, CLASSES, 2)
        with strategy.scope():
            images = SyntheticSet(start, MEAN, STD, 2, unit_range)
            sgd = ImageSGD(images.images, rate, 0.5, per_class=True)
        geometry = GEOMETRIES[geometry]()
        bank = None
        if bank_size:
            bank = RealBank(bank_size, geometry, CLASSES, self.network.feature_dim)
        matching = ClassMatching(
            synthetic_set=images,
            store=self.store,
            network=self.network,
            objective=objective,
            geometry=geometry,
            blocks=plan_class_blocks(
                CLASSES, strategy.num_replicas_in_sync, 20, 8, max_images
            ),
            real_batch=20,
            augmentations=dsa.dance_choice(names)
            if unit_range
            else dsa.Choice(one_of=names),
            max_decoded=max_decoded,
            seed=3,
            bank=bank,
        )
        return DistillationStep(strategy, matching, sgd), images


@pytest.fixture(scope="session")
def problem():
    return SmallProblem()


@pytest.fixture(scope="session")
def one_device():
    return tf.distribute.OneDeviceStrategy("CPU:0")
