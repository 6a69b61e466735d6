"""Sets that carry soft labels, a rate or a whitening, and baselines beside them."""

import dataclasses
import re

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.artifacts.sets.distilled_set import (
    DistilledSet,
    read_distilled_set,
    write_distilled_set,
)
from hdd_tf.config import Config
from hdd_tf.data.epoch_labels import EpochLabels
from hdd_tf.data.normalisation import whitening_of
from hdd_tf.errors import InputError
from hdd_tf.evaluation.evaluation import Evaluation
from hdd_tf.evaluation.result_text import result_table
from hdd_tf.evaluation.saved_classifier import save_classifier
from hdd_tf.evaluation.scorers import kept_trainers, network_scorer
from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.registry import build_with_options, network_of_settings
from hdd_tf.protocols import published as protocols
from hdd_tf.protocols.epoch_labelling import label_epochs
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.random_keys import derive_key
from hdd_tf.reading.loading import dataset_from_arrays
from hdd_tf.training.network_trainer import NetworkTrainer
from tests.trained_teacher import teacher_of_trainer

# Networks of many kinds train here: more than a few seconds in all.
pytestmark = pytest.mark.slow

SOFT = TrainingProtocol(12, 16, 0.05, loss="soft", labels="stored", flip=True)
OPTIONS = NetworkOptions(depth=1, width=4)


@pytest.fixture(scope="module")
def dataset():
    """Two classes that differ in which half is bright."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    images = rng.integers(0, 120, (60, 8, 8, 1))
    images[labels == 0, :4] += 100
    images[labels == 1, 4:] += 100
    data = dataset_from_arrays(images.astype(np.uint8), labels)
    return dataclasses.replace(data, test=data.training)


@pytest.fixture(scope="module")
def plain_set(dataset):
    images = dataset.training.images.astype(np.float32)
    metadata = {
        "dataset": "arrays", "ipc": 8, "objective": "dm", "geometry": "euclidean",
        "label_names": ["up", "down"], "mean": [0.5], "std": [0.25],
        "source": {"seed": 0},
    }  # fmt: skip
    by_class = np.stack([images[0:16:2], images[1:16:2]])
    return DistilledSet.from_class_images(by_class, metadata)


@pytest.fixture(scope="module")
def swapped(plain_set):
    """Soft labels that say of every image the other class."""
    other = 6.0 * np.eye(2, dtype=np.float32)[1 - plain_set.labels]
    return dataclasses.replace(plain_set, label_logits=other)


@pytest.fixture
def evaluation_by(dataset, monkeypatch):
    """Makes evaluations by a protocol that stands in for DM's."""

    def make(protocol, dataset=dataset, **settings):
        def build(config, name, epochs):
            return dataclasses.replace(protocol, epochs=epochs or protocol.epochs)

        monkeypatch.setitem(protocols.PROTOCOLS, "dm", build)
        config = Config(
            dataset="arrays", depth=1, width=4, num_eval=1, whole_epochs=8,
            progress=False, **settings,
        )  # fmt: skip
        network = network_of_settings(
            config.network, config, dataset.image_shape, dataset.num_classes
        )
        return Evaluation(config, dataset, network)

    return make


def epoch_labels_of(plain_set, batch_size=16, epochs=SOFT.epochs):
    count, side = len(plain_set.images), 8
    rows = np.tile(np.arange(count, dtype=np.int32), (epochs, 1))
    logits = 6.0 * np.eye(2, dtype=np.float16)[1 - plain_set.labels]
    return EpochLabels(
        rows=rows,
        boxes=np.array([[[0, 0, side, side]] * count] * epochs, np.int16),
        flips=np.zeros((epochs, count), bool),
        partners=rows % batch_size,
        cuts=np.zeros((epochs, -(-count // batch_size), 4), np.int16),
        logits=np.tile(logits, (epochs, 1, 1)),
        batch_size=batch_size,
    )


def test_soft_labels_count_and_baselines_learn_classes(swapped, evaluation_by):
    evaluation = evaluation_by(SOFT, baselines=("random", "whole"))
    result = evaluation.result(swapped)
    # Networks say the other class of what they have seen, as they were told.
    assert result["accuracy"]["convnet"]["mean"] < 20
    assert result["baselines"]["random"]["mean"] > 80
    assert result["baselines"]["whole"]["mean"] > 80
    told = result["protocol"]
    assert (told["loss"], told["labels"]) == ("soft", "stored")
    assert told["baseline_labels"] == "hard"


def test_labels_of_epochs_count(plain_set, evaluation_by):
    protocol = dataclasses.replace(SOFT, labels="epochs")
    carried = dataclasses.replace(plain_set, epoch_labels=epoch_labels_of(plain_set))
    assert evaluation_by(protocol).score_set(carried).mean < 20


@pytest.mark.stress
def test_a_teacher_labels_views_of_the_coresets_beside_stored_views(
    taught, evaluation_by
):
    protocol = dataclasses.replace(
        SOFT, labels="epochs", resized_crop=0.8, cutmix=1.0, epochs=20
    )
    evaluation = evaluation_by(protocol, baselines=("random",))
    labels = label_epochs(
        taught.teacher, taught.images, protocol, taught.normalisation, seed=0
    )
    result = evaluation.result(dataclasses.replace(taught, epoch_labels=labels))
    # The same teacher, so the same wrong labels; classes alone are right.
    assert result["accuracy"]["convnet"]["mean"] < 30
    found = {name: score["mean"] for name, score in result["baselines"].items()}
    assert found["random"] < 30
    assert found["hard_labels"] > 70
    assert result["protocol"]["baseline_labels"] == "teacher"
    # Without the teacher real images have their classes only.
    alone = dataclasses.replace(taught, teacher=None, epoch_labels=labels)
    assert evaluation.describe_protocol(alone)["baseline_labels"] == "hard"


@pytest.fixture(scope="module")
def taught(dataset, plain_set):
    """A set with a teacher that was told the other class of everything."""
    training = dataset.training
    network = build_with_options("convnet", (8, 8, 1), 2, OPTIONS)
    trainer = NetworkTrainer(
        network, training.images, 1 - training.labels, dataset.normalisation,
        SOFT.with_hard_labels(),
    )  # fmt: skip
    trainer.train(derive_key(0))
    teacher = teacher_of_trainer(trainer, "convnet", OPTIONS, 2)
    return dataclasses.replace(plain_set, teacher=teacher)


def test_a_teacher_labels_a_set_and_the_coresets_beside_it(
    taught, evaluation_by, tmp_path
):
    write_distilled_set(tmp_path / "set", taught)
    evaluation = evaluation_by(
        dataclasses.replace(SOFT, labels="teacher"),
        baselines=("random", "whole"),
        fair_score=True,
    )
    result = evaluation.result(read_distilled_set(tmp_path / "set"))
    assert result["accuracy"]["convnet"]["mean"] < 20
    # The same teacher, so the same wrong labels; classes alone are right.
    found = {name: score["mean"] for name, score in result["baselines"].items()}
    assert found["random"] < 20
    assert found["hard_labels"] > 80
    assert found["whole"] > 80
    assert result["protocol"]["baseline_labels"] == "teacher"
    # DD-Ranking recovers hard labels, and improves on random by any labels.
    fair = result["fair_score"]
    assert fair["hlr"] == pytest.approx((found["whole"] - found["hard_labels"]) / 100)
    assert (
        fair["accuracy"]["random"]["values"] == result["baselines"]["random"]["values"]
    )
    table = result_table({**result, "seconds": {}}, "RUN")
    assert re.search(r"distilled \(convnet\).*\ndistilled, hard labels", table)
    assert "networks learn a teacher's labels: do not compare" in table


def test_labels_that_a_method_never_makes_are_refused_before_it_starts(
    monkeypatch,
):
    def build(config, name, epochs):
        return dataclasses.replace(SOFT, labels="teacher")

    monkeypatch.setitem(protocols.PROTOCOLS, "dm", build)
    config = Config(dataset="arrays", eval_protocol="dm")
    with pytest.raises(InputError, match=r"teacher.*--objective=dm have none: leave"):
        protocols.check_labels(config)
    protocols.check_labels(dataclasses.replace(config, num_eval=0))


@pytest.mark.parametrize("source", ["stored", "epochs", "teacher"])
def test_labels_that_a_set_lacks_are_refused_before_training(
    source, plain_set, evaluation_by, monkeypatch
):
    evaluation = evaluation_by(
        dataclasses.replace(SOFT, labels=source), baselines=("random",)
    )
    monkeypatch.setattr(network_scorer, "score_networks", None)
    with pytest.raises(InputError, match="this set has none: name another --eval_pr"):
        evaluation.result(plain_set)


def test_labels_of_other_batches_are_refused(plain_set, evaluation_by):
    carried = dataclasses.replace(
        plain_set, epoch_labels=epoch_labels_of(plain_set, batch_size=4)
    )
    evaluation = evaluation_by(dataclasses.replace(SOFT, labels="epochs"))
    with pytest.raises(InputError, match="give --eval_batch=4"):
        evaluation.score_set(carried)


def test_labels_of_fewer_epochs_are_refused_before_training(
    plain_set, evaluation_by, monkeypatch
):
    carried = dataclasses.replace(plain_set, epoch_labels=epoch_labels_of(plain_set))
    more = dataclasses.replace(SOFT, labels="epochs", epochs=SOFT.epochs + 1)
    monkeypatch.setattr(network_scorer, "score_networks", None)
    with pytest.raises(InputError, match=rf"give --eval_epochs={SOFT.epochs}$"):
        evaluation_by(more).result(carried)


def test_classes_in_another_order_are_refused(dataset, plain_set, evaluation_by):
    named = dataclasses.replace(dataset, label_names=("up", "down"))
    other = {"label_names": plain_set.metadata["label_names"][::-1]}
    carried = dataclasses.replace(plain_set, metadata=plain_set.metadata | other)
    evaluation = evaluation_by(SOFT.with_hard_labels(), dataset=named)
    with pytest.raises(InputError, match="class 0 is 'down' there and 'up' here"):
        evaluation.score_set(carried)
    # Another spelling is no other order.
    other = {"label_names": ["UP", "DOWN"]}
    carried = dataclasses.replace(plain_set, metadata=plain_set.metadata | other)
    assert evaluation.score_set(carried).mean > 80


def test_fair_scores_of_labels_of_epochs_are_refused_at_once(evaluation_by):
    protocol = dataclasses.replace(SOFT, labels="epochs")
    with pytest.raises(InputError, match="--fair_score compares with training without"):
        evaluation_by(protocol, fair_score=True)


def test_a_learnt_rate_counts_for_its_set_alone(plain_set, evaluation_by, monkeypatch):
    rates = []
    score_networks = network_scorer.score_networks

    def watched(trainer, *arguments):
        rates.append(float(trainer._epochs._rates[0]))
        return score_networks(trainer, *arguments)

    monkeypatch.setattr(network_scorer, "score_networks", watched)
    hard = dataclasses.replace(SOFT.with_hard_labels(), learnt_rate=True)
    carried = dataclasses.replace(plain_set, student_rate=0.125)
    evaluation = evaluation_by(hard, baselines=("random",))
    result = evaluation.result(carried)
    np.testing.assert_allclose(rates, [0.125, 0.05], rtol=1e-6)
    assert result["protocol"]["learning_rate"] == 0.125
    # A set without one, and a protocol that does not ask for it.
    evaluation.score_set(plain_set)
    evaluation_by(dataclasses.replace(hard, learnt_rate=False)).score_set(carried)
    np.testing.assert_allclose(rates[2:], 0.05, rtol=1e-6)


def test_sets_of_one_shape_share_a_trace(swapped, plain_set, evaluation_by):
    evaluation = evaluation_by(dataclasses.replace(SOFT, epochs=1, learnt_rate=True))
    other = dataclasses.replace(
        swapped, label_logits=-swapped.label_logits, student_rate=0.2
    )
    first = evaluation.score_set(swapped)
    evaluation.score_set(other)
    (trainer,) = evaluation.scorer.trainers._trainers.values()
    np.testing.assert_array_equal(trainer._set._label_logits, other.label_logits)
    assert evaluation.score_set(swapped).values == first.values
    assert trainer.trace_count == 1


def test_real_images_share_the_trace_of_as_many_floats(
    dataset, plain_set, evaluation_by
):
    real = dataset.training.take(np.arange(16, 32))

    def learnt(scorer):
        found = []

        def note(trainer, *_):
            found.extend(weight.numpy() for weight in trainer.weights)

        scorer.score("real", real.images, real.labels, on_tested=note)
        return found

    protocol = dataclasses.replace(SOFT.with_hard_labels(), epochs=2)
    evaluation = evaluation_by(protocol)
    evaluation.score_set(plain_set)
    beside = learnt(evaluation.scorer)
    assert len(evaluation.scorer.trainers) == 1
    alone = learnt(evaluation_by(protocol).scorer)
    for mine, expected in zip(beside, alone, strict=True):
        np.testing.assert_array_equal(mine, expected)


@pytest.mark.stress
def test_sets_that_are_read_one_after_the_other_do_not_pile_up(
    dataset, plain_set, evaluation_by
):
    protocol = dataclasses.replace(SOFT, labels="epochs", epochs=1)
    evaluation = evaluation_by(protocol)
    for _ in range(3):
        labels = epoch_labels_of(plain_set)
        evaluation.score_set(dataclasses.replace(plain_set, epoch_labels=labels))
    assert len(evaluation.scorer.trainers) == 1


def test_a_whitening_read_from_files_shares_the_trace_of_real_images(
    dataset, plain_set, evaluation_by
):
    whitening = whitening_of(dataset.training.images)
    whitened = dataclasses.replace(dataset, whitening=whitening)
    evaluation = evaluation_by(SOFT.with_hard_labels(), dataset=whitened)
    copy = whitening_of(dataset.training.images)
    carried = dataclasses.replace(plain_set, whitening=copy)
    assert evaluation.scorer.normalisation(carried).whitening is whitening
    other = dataclasses.replace(copy, epsilon=0.2)
    carried = dataclasses.replace(plain_set, whitening=other)
    assert evaluation.scorer.normalisation(carried).whitening is other


def test_a_whitened_set_is_scored_on_whitened_images(
    dataset, plain_set, evaluation_by, monkeypatch
):
    given = []

    def trainer(*arguments, **options):
        given.append(arguments[3])
        return NetworkTrainer(*arguments, **options)

    monkeypatch.setattr(kept_trainers, "NetworkTrainer", trainer)
    whitening = whitening_of(dataset.training.images)
    carried = dataclasses.replace(plain_set, whitening=whitening)
    evaluation = evaluation_by(dataclasses.replace(SOFT.with_hard_labels()))
    evaluation.score_set(carried)
    evaluation.score_set(plain_set)
    assert [n.whitening for n in given] == [whitening, None]
    assert evaluation.scorer.normalisation(carried).whitening is whitening


def test_the_classifier_of_a_whitened_set_whitens(
    dataset, plain_set, evaluation_by, tmp_path
):
    whitening = whitening_of(dataset.training.images)
    carried = dataclasses.replace(plain_set, whitening=whitening)
    evaluation = evaluation_by(SOFT.with_hard_labels())
    evaluation.result(carried)
    save_classifier(tmp_path / "classifier", evaluation, dataset, carried)
    trained = evaluation.classifier
    expected = evaluation.scorer.build_network("convnet").logits(
        trained.weights, carried.normalisation.normalise(carried.images)
    )
    loaded = tf.saved_model.load(str(tmp_path / "classifier"))
    found = loaded(tf.constant(carried.images))["logits"]
    np.testing.assert_allclose(found, expected, atol=1e-4)
