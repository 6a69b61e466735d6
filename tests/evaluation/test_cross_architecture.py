"""One distilled set, several architectures: a score each, one in memory at a time."""

import gc
import sys
import weakref

import keras
import numpy as np
import pytest

from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.config import Config
from hdd_tf.errors import InputError
from hdd_tf.evaluation.evaluation import Evaluation
from hdd_tf.evaluation.result_text import result_table
from hdd_tf.evaluation.scorers import kept_trainers
from hdd_tf.networks.registry import network_of_settings
from hdd_tf.reading.loading import dataset_from_arrays
from hdd_tf.training.network_trainer import NetworkTrainer

OWN = "cross_architecture_own:build"


def build_own(image_shape, num_classes):
    return keras.Sequential(
        [
            keras.layers.Input(image_shape),
            keras.layers.Flatten(),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(num_classes),
        ]
    )


@pytest.fixture(scope="module", autouse=True)
def own_module():
    module = type(sys)("cross_architecture_own")
    module.build = build_own
    sys.modules[module.__name__] = module
    yield
    del sys.modules[module.__name__]


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    images = rng.integers(0, 120, (60, 16, 16, 1))
    images[labels == 0, :8] += 100
    images[labels == 1, 8:] += 100
    data = dataset_from_arrays(images.astype(np.uint8), labels)
    # The Python interface holds nothing out.
    object.__setattr__(data, "test", data.training)
    return data


@pytest.fixture(scope="module")
def distilled_set(dataset):
    images = dataset.training.images.astype(np.float32)
    metadata = {
        "dataset": "arrays",
        "ipc": 3,
        "objective": "dm",
        "geometry": "euclidean",
        "label_names": ["up", "down"],
        "mean": [0.5],
        "std": [0.25],
        "source": {"seed": 0},
    }
    by_class = np.stack([images[0:6:2], images[1:6:2]])
    return DistilledSet.from_class_images(by_class, metadata)


def evaluation_of(dataset, **settings):
    config = Config(
        dataset="arrays", depth=2, width=8, num_eval=2, eval_epochs=3, dsa="flip_scale",
        progress=False, **settings,
    )  # fmt: skip
    network = network_of_settings(
        config.network, config, dataset.image_shape, dataset.num_classes
    )
    return Evaluation(config, dataset, network)


def live_graphs():
    """Graphs not freed; each holds the variables that it was traced with."""
    gc.collect()
    return {id(o) for o in gc.get_objects() if type(o).__name__ == "FuncGraph"}


@pytest.mark.stress
def test_every_network_has_a_score_and_a_row(dataset, distilled_set, monkeypatch):
    names = ("convnet", "convnet_batch", "lenet", OWN)
    settings = {"eval_networks": names, "baselines": ("random",)}
    # What a process compiles once and keeps is there afterwards.
    evaluation_of(dataset, **settings).result(distilled_set)
    before = live_graphs()
    trainers, alive = [], []

    def trainer(*arguments, **options):
        gc.collect()
        alive.append(sum(reference() is not None for reference in trainers))
        made = NetworkTrainer(*arguments, **options)
        trainers.append(weakref.ref(made))
        return made

    monkeypatch.setattr(kept_trainers, "NetworkTrainer", trainer)
    evaluation = evaluation_of(dataset, **settings)
    result = evaluation.result(distilled_set)
    assert tuple(result["accuracy"]) == names
    for score in result["accuracy"].values():
        assert len(score["values"]) == 2 and score["images"] == 6
    assert result["protocol"]["baseline_network"] == "convnet"
    # The baseline shares the first network's trace; the others found nothing left.
    assert alive == [0, 0, 0, 0]
    del evaluation
    assert len(live_graphs() - before) == 0

    result |= {"seconds": {}}
    lines = result_table(result, "run").splitlines()
    rows = [line for line in lines if " network" in line and line.endswith(")")]
    titles = ["random real images (convnet)", *(f"distilled ({n})" for n in names)]
    for row, title in zip(rows, titles, strict=True):
        assert row.startswith(title + " ")
    assert len({row.index(" 6   ") for row in rows}) == 1

    # A network's score is its own, whatever is evaluated before it.
    alone = evaluation_of(dataset, eval_networks=("convnet_batch",))
    values = alone.result(distilled_set)["accuracy"]["convnet_batch"]["values"]
    assert values == result["accuracy"]["convnet_batch"]["values"]


def test_without_a_list_the_matched_network_is_evaluated(dataset, distilled_set):
    result = evaluation_of(dataset, network="mlp").result(distilled_set)
    assert list(result["accuracy"]) == ["mlp"]
    table = result_table(result | {"seconds": {}}, "run")
    assert f"{'distilled (mlp)':<24}" in table and "(mlp) (" not in table


def test_networks_that_cannot_be_are_refused_before_anything_is_trained(dataset):
    with pytest.raises(InputError, match="vgg11 takes images of 32 pixels"):
        evaluation_of(dataset, eval_networks=("convnet", "vgg11"))
    with pytest.raises(InputError, match="there is no module no_such"):
        evaluation_of(dataset, eval_networks=("no_such:build",))
