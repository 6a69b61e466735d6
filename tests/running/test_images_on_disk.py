"""Methods and networks see on disk what they see in memory, to the bit."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset, LabelledImages
from hdd_tf.data.stored_images import StoredImages
from hdd_tf.data_cache.entry import positions_of
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.evaluation.evaluation import Evaluation
from hdd_tf.networks.registry import network_of_settings
from hdd_tf.objectives.building import build_method, build_step

LABELS = np.arange(30) % 3
SMALL = {
    "dataset": "arrays",
    **{"width": 4, "depth": 1, "ipc": 1, "real_batch": 6, "coreset_epochs": 2},
    **{"num_eval": 1, "eval_epochs": 2, "whole_epochs": 2, "progress": False},
}


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    """One data set in memory, and the same on disk."""
    images = np.random.default_rng(1).integers(0, 256, (30, 8, 8, 1), np.uint8)
    training = LabelledImages(images, LABELS)
    test = training.take(np.arange(7))
    path = tmp_path_factory.mktemp("stored") / "images"
    path.write_bytes(images[np.argsort(LABELS, kind="stable")].tobytes())
    stored = StoredImages(path, images.shape, positions_of(LABELS))
    of_memory = Dataset("arrays", training, None, test, ("a", "b", "c"), (0.5,), (0.2,))
    of_disk = dataclasses.replace(
        of_memory,
        training=LabelledImages(stored, LABELS),
        test=LabelledImages(stored.select(np.arange(7)), test.labels),
    )
    return of_memory, of_disk


def context(dataset, **settings):
    config = Config(**SMALL, **settings)
    network = network_of_settings(config.network, config, (8, 8, 1), 3)
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    return MethodContext(config, dataset, network, strategy)


def images_of(dataset, settings):
    built = context(dataset, **settings)
    if built.config.traits.is_selection:
        rows = build_method(built).coresets.select(settings["objective"], 2)
        return dataset.training.images[rows]
    step = build_step(built)
    step.run(0, 2)
    return step.method.synthetic_set.images.numpy()


@pytest.mark.parametrize(
    "settings",
    [
        {"objective": "dm", "init": "real", "dsa": "none"},
        pytest.param(
            {
                **{"objective": "idm", "dsa": "none", "idm_train_batch": 4},
                **{"idm_pool_start": 1, "idm_pool_size": 2},
                **{"idm_train_networks": 1, "idm_train_steps": 1},
            },
            marks=pytest.mark.stress,
        ),
        pytest.param({"objective": "herding"}, marks=pytest.mark.stress),
    ],
    ids=lambda settings: settings["objective"],
)
@pytest.mark.slow
def test_methods_make_the_same_images(datasets, settings):
    found, expected = (images_of(each, settings) for each in reversed(datasets))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.stress
def test_networks_trained_on_all_images_score_the_same(datasets):
    scores = []
    for dataset in datasets:
        built = context(dataset, objective="dm")
        evaluation = Evaluation(built.config, dataset, built.network)
        scores.append(evaluation.score_whole().values)
        # The trainer of the same images is used again, without another trace.
        assert evaluation.score_whole().values == scores[-1]
    assert scores[0] == scores[1]
