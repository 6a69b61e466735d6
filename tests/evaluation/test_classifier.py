"""The network kept for exports is the first one that was tested, and no other."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.config import Config
from hdd_tf.evaluation.evaluation import Evaluation
from hdd_tf.networks.registry import network_of_settings
from hdd_tf.reading.loading import load_dataset
from hdd_tf.training.network_trainer import NetworkTrainer
from tests.evaluation.digits_set import digits_set


@pytest.fixture(scope="module")
def dataset():
    return load_dataset("digits", None, 0.1, 0)


@pytest.fixture(scope="module")
def distilled_set(dataset):
    return digits_set(dataset, 3)


def evaluation_of(dataset, **settings):
    config = Config(
        dataset="digits", depth=1, width=4, eval_epochs=3, dsa="none",
        progress=False, **settings,
    )  # fmt: skip
    network = network_of_settings("convnet", config, dataset.image_shape, 10)
    return Evaluation(config, dataset, network)


def accuracy_of(network, classifier, dataset):
    """Tests weights the slow way: all images at once, outside of any trainer."""
    images = dataset.test.images.astype(np.float32) / 255
    images = (images - np.float32(dataset.mean)) / np.float32(dataset.std)
    logits = network.logits(
        [tf.constant(weight) for weight in classifier.weights],
        tf.constant(images),
        [tf.constant(tensor) for tensor in classifier.state],
    )
    return 100 * np.mean(np.argmax(logits, -1) == dataset.test.labels)


# Beside a fair score: test_fair_score.py.
@pytest.mark.parametrize(
    "name", ["convnet", pytest.param("convnet_batch", marks=pytest.mark.stress)]
)
@pytest.mark.slow
def test_it_has_the_first_accuracy_that_is_recorded(dataset, distilled_set, name):
    # Beside all that is ever scored with it, and alone.
    beside = name == "convnet"
    evaluation = evaluation_of(
        dataset,
        num_eval=2,
        eval_networks=(name, "mlp") if beside else (name,),
        baselines=("random",),
        whole_epochs=1,
    )
    assert evaluation.classifier is None
    result = evaluation.result(distilled_set)
    classifier = evaluation.classifier
    values = result["accuracy"][name]["values"]
    assert classifier.network_name == name
    assert round(classifier.accuracy, 4) == values[0] != values[1]
    network = evaluation.scorer.build_network(name)
    shapes = [weight.shape for weight in classifier.weights]
    assert shapes == network.weight_shapes
    assert len(classifier.state) == len(network.state_specs)
    # Moving statistics are those after training.
    fresh = network.initial_variables(tf.constant([0, 0]))[1]
    for new, old in zip(classifier.state, fresh, strict=True):
        assert isinstance(new, np.ndarray) and np.abs(new - old).max() > 1e-3
    assert accuracy_of(network, classifier, dataset) == pytest.approx(
        classifier.accuracy
    )


def test_nothing_is_trained_for_it_and_other_scores_do_not_touch_it(
    dataset, distilled_set, monkeypatch
):
    trained = []
    train = NetworkTrainer.train

    def counted(self, *arguments):
        trained.append(self)
        return train(self, *arguments)

    monkeypatch.setattr(NetworkTrainer, "train", counted)
    evaluation = evaluation_of(dataset, num_eval=2)
    evaluation.result(distilled_set)
    classifier = evaluation.classifier
    assert len(trained) == 2 and classifier is not None
    evaluation.score_set(distilled_set, split="validation")
    evaluation.score_set(distilled_set)
    evaluation.score_coreset("random", 3)
    assert evaluation.classifier is classifier


def test_without_networks_there_is_none(dataset, distilled_set):
    evaluation = evaluation_of(dataset, num_eval=0)
    evaluation.result(distilled_set)
    assert evaluation.classifier is None


def test_the_matched_network_is_built_once(dataset):
    evaluation = evaluation_of(dataset, num_eval=0)
    matched = evaluation.scorer.build_network("convnet")
    assert evaluation.scorer.build_network("convnet") is matched
    assert evaluation.scorer.build_network("mlp") is not matched
