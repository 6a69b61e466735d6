"""Herding and k-center against slow, obvious oracles, and what they promise."""

import itertools

import numpy as np
import pytest

from hdd_tf.selection.greedy import herding, k_center


def features_of(seed, n=40, d=6, offset=0.0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32) + offset


def slow_herding(features, count):
    features = features.astype(np.float64)
    chosen = []
    for k in range(1, count + 1):
        distances = {
            row: np.linalg.norm(
                features.mean(axis=0) - features[[*chosen, row]].sum(axis=0) / k
            )
            for row in range(len(features))
            if row not in chosen
        }
        chosen.append(min(distances, key=distances.get))
    return chosen


def slow_k_center(features, count):
    features = features.astype(np.float64)
    mean = features.mean(axis=0)
    chosen = [int(np.argmin([np.linalg.norm(f - mean) for f in features]))]
    while len(chosen) < count:
        nearest = [
            min(np.linalg.norm(f - features[row]) for row in chosen) for f in features
        ]
        chosen.append(int(np.argmax(nearest)))
    return chosen


def radius(features, chosen):
    distances = np.linalg.norm(features[:, None] - features[chosen], axis=-1)
    return distances.min(axis=1).max()


@pytest.mark.parametrize(
    "choose, slow", [(herding, slow_herding), (k_center, slow_k_center)]
)
@pytest.mark.parametrize("seed", range(5))
# Far from the origin float32 distances would cancel, were they not centred.
@pytest.mark.parametrize("offset", [0.0, 300.0])
def test_choice_is_the_oracles(choose, slow, seed, offset):
    features = features_of(seed, offset=np.float32(offset))
    before = features.copy()
    chosen = choose(features, 12)
    assert chosen.tolist() == slow(features, 12)
    np.testing.assert_array_equal(features, before)


@pytest.mark.parametrize("choose", [herding, k_center])
def test_choice_of_all_is_a_permutation_and_of_fewer_its_beginning(choose):
    features = features_of(7)
    whole = choose(features, 40)
    assert sorted(whole) == list(range(40))
    for count in (1, 9, 99):
        np.testing.assert_array_equal(choose(features, count), whole[:count])


@pytest.mark.parametrize("choose", [herding, k_center])
def test_equal_images_are_never_chosen_twice(choose):
    assert choose(np.ones((5, 3), np.float32), 9).tolist() == [0, 1, 2, 3, 4]


def test_both_begin_with_the_one_nearest_to_the_mean():
    features = features_of(3)
    nearest = np.argmin(np.linalg.norm(features - features.mean(axis=0), axis=1))
    assert herding(features, 1) == k_center(features, 1) == nearest


def test_herded_mean_comes_nearer_than_a_random_one():
    features = features_of(1, n=300)
    error = np.linalg.norm(
        features[herding(features, 20)].mean(axis=0) - features.mean(axis=0)
    )
    rng = np.random.default_rng(0)
    others = [
        np.linalg.norm(features[rng.permutation(300)[:20]].mean(0) - features.mean(0))
        for _ in range(50)
    ]
    assert error < 0.3 * min(others)


def test_k_center_radius_never_grows_and_stays_within_twice_the_best():
    features = features_of(2, n=14, d=2)
    chosen = k_center(features, 14)
    radii = [radius(features, chosen[:k]) for k in range(1, 15)]
    assert all(after <= before for before, after in itertools.pairwise(radii))
    assert radii[-1] == 0 < radii[-2]
    best = min(
        radius(features, [i, j, k])
        for i in range(14)
        for j in range(i)
        for k in range(j)
    )
    assert radii[2] <= 2 * best
