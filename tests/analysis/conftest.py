"""A tiny data set, network and distilled set, seen through a tiny encoder."""

import dataclasses

import numpy as np
import pytest

from hdd_tf.analysis.embeddings import embed
from hdd_tf.analysis.trained_weights import EncoderWeights
from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.config import Config
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.networks.registry import matched_network
from hdd_tf.random_keys import derive_key
from hdd_tf.reading.loading import dataset_from_arrays

CLASSES, IPC = 3, 2


@pytest.fixture(scope="session")
def config():
    return Config(
        dataset="arrays", ipc=IPC, depth=1, width=4, analysis_images=60, progress=False
    )


@pytest.fixture(scope="session")
def dataset():
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(CLASSES), 30)
    images = generator.integers(0, 256, [90, 8, 10, 3])
    # Classes differ by their brightness; samples by their contrast.
    images = images // 2 + 40 * labels[:, None, None, None]
    return dataset_from_arrays(images.astype(np.uint8), labels)


@pytest.fixture(scope="session")
def network(config, dataset):
    return matched_network(config, dataset.image_shape, dataset.num_classes)


@pytest.fixture(scope="session")
def weights(network):
    random = network.initial_weights(derive_key(4))
    origin = {"network": "convnet", "source": "random weights"}
    return EncoderWeights([weight.numpy() for weight in random], origin)


@pytest.fixture(scope="session")
def distilled(dataset, config):
    images = np.random.default_rng(1).normal(120, 80, [CLASSES, IPC, 8, 10, 3])
    metadata = {
        "dataset": dataset.name,
        "label_names": dataset.label_names,
        "mean": dataset.mean,
        "std": dataset.std,
        "objective": "dm",
        "geometry": "hyperbolic",
        "source": dataclasses.asdict(config),
    }
    return DistilledSet.from_class_images(images, metadata)


@pytest.fixture(scope="session")
def experiment(config, dataset):
    return RunContext.build(config, dataset)


@pytest.fixture(scope="session")
def seen(experiment, weights, distilled):
    return embed(experiment, weights, distilled)


@pytest.fixture(scope="session")
def encoder(seen):
    return seen[0]


@pytest.fixture(scope="session")
def embeddings(seen):
    return seen[1]
