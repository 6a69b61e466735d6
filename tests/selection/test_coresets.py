"""Coresets by name: class by class, seeded, from one network trained once."""

import dataclasses

import numpy as np
import pytest

from hdd_tf.config import Config
from hdd_tf.networks.registry import build_network
from hdd_tf.reading.loading import dataset_from_arrays
from hdd_tf.selection.coresets import SELECTIONS, CoresetSelector
from hdd_tf.selection.greedy import herding, k_center
from hdd_tf.training.recording_trainer import NEVER_LEARNT, RecordingTrainer

CONFIG = Config(dataset="arrays", coreset_epochs=4, progress=False)
SIZES = (30, 20, 9)


@pytest.fixture(scope="module")
def dataset():
    """Three classes of different sizes, shuffled, hard enough to be forgotten."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(np.arange(3), SIZES))
    images = rng.integers(0, 200, (len(labels), 8, 8, 1))
    images[labels == 1, :4] += 20
    return dataset_from_arrays(images.astype(np.uint8), labels)


@pytest.fixture(scope="module")
def network():
    return build_network("convnet", (8, 8, 1), 3, depth=2, width=8)


@pytest.fixture(scope="module")
def selector(dataset, network):
    return CoresetSelector(CONFIG, dataset, network)


@pytest.fixture
def trainings(monkeypatch):
    """Grows with every training of a network."""
    done = []
    train = RecordingTrainer.train

    def counted(self, *arguments):
        done.append(self)
        return train(self, *arguments)

    monkeypatch.setattr(RecordingTrainer, "train", counted)
    return done


@pytest.mark.parametrize("name", SELECTIONS)
def test_selection_is_by_class_and_without_repeats(selector, dataset, name):
    rows = selector.select(name, 5)
    np.testing.assert_array_equal(
        dataset.training.labels[rows], np.repeat(np.arange(3), 5)
    )
    assert len(set(rows)) == 15
    # A class with fewer images gives all it has.
    assert np.bincount(dataset.training.labels[selector.select(name, 25)]).tolist() == [
        25, 20, 9,
    ]  # fmt: skip
    assert dataset.smallest_class[1] == 9


@pytest.mark.slow
def test_one_training_serves_all_and_random_needs_none(dataset, network, trainings):
    selector = CoresetSelector(CONFIG, dataset, network)
    selector.select("random", 3)
    assert not trainings
    first = {name: selector.select(name, 3) for name in SELECTIONS}
    assert len(trainings) == 1
    again = CoresetSelector(CONFIG, dataset, network)
    for name in reversed(SELECTIONS):
        np.testing.assert_array_equal(again.select(name, 3), first[name])
    assert len(trainings) == 2
    other = CoresetSelector(dataclasses.replace(CONFIG, seed=1), dataset, network)
    for name in SELECTIONS:
        assert not np.array_equal(other.select(name, 3), first[name])


@pytest.mark.parametrize("name, choose", [("herding", herding), ("k_center", k_center)])
def test_features_are_held_one_class_at_a_time(
    selector, dataset, monkeypatch, name, choose
):
    network = selector.trained_network()
    asked = []
    features = RecordingTrainer.features

    def watched(self, rows):
        asked.append(len(rows))
        return features(self, rows)

    monkeypatch.setattr(RecordingTrainer, "features", watched)
    chosen = selector.select(name, 4).reshape(3, 4)
    assert asked == list(SIZES)
    for label in range(3):
        rows = np.flatnonzero(dataset.training.labels == label)
        np.testing.assert_array_equal(
            chosen[label], rows[choose(network.features(rows), 4)]
        )


def test_most_forgotten_come_first_and_seeds_break_ties(dataset, network, monkeypatch):
    counts = np.random.default_rng(0).integers(0, 3, sum(SIZES))
    lost = np.flatnonzero(dataset.training.labels == 0)[[3, 8]]
    counts[lost] = NEVER_LEARNT
    monkeypatch.setattr(RecordingTrainer, "forgetting_counts", lambda self: counts)
    selectors = [
        CoresetSelector(
            dataclasses.replace(CONFIG, seed=seed, coreset_epochs=2), dataset, network
        )
        for seed in (0, 1)
    ]
    choices = [s.select("forgetting", 9).reshape(3, 9) for s in selectors]
    for chosen in choices:
        for rows in chosen:
            label = dataset.training.labels[rows[0]]
            highest = np.sort(counts[dataset.training.labels == label])[::-1][:9]
            np.testing.assert_array_equal(counts[rows], highest)
        assert set(chosen[0, :2]) == set(lost)
    # The same images of the smallest class, but in another order of equals.
    assert set(choices[0][2]) == set(choices[1][2])
    assert not np.array_equal(*choices)


def test_random_draws_are_those_of_earlier_versions(dataset, network):
    # Numbers in the README depend on them.
    rows = CoresetSelector(CONFIG, dataset, network).select("random", 2)
    assert rows.tolist() == [32, 24, 49, 44, 9, 8]
