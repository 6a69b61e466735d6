"""Keeping a part of each class: against a slow list, and in a run."""

import dataclasses

import numpy as np
import pytest

from hdd_tf.analysis.encoder import HyperbolicEncoder
from hdd_tf.analysis.pruning import (
    kept_rows,
    pruned_dataset,
    pruned_set,
    tangent_norms,
)
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.errors import InputError

LABELS = np.array([0, 1, 0, 1, 0, 1, 0, 1, 0, 2])
NORMS = np.array([5, 1, 4, 2, 3, 3, 2, 4, 1, 9.0])


@pytest.mark.parametrize(
    ("fraction", "keep", "rows"),
    [
        (0.5, "near_root", [1, 3, 6, 8, 9]),
        (0.5, "far_from_root", [0, 2, 5, 7, 9]),
        (0.01, "near_root", [1, 8, 9]),
        (1.0, "far_from_root", list(range(10))),
    ],
)
def test_kept_rows(fraction, keep, rows):
    assert kept_rows(NORMS, LABELS, fraction, keep, 0).tolist() == rows


def test_random_rows_are_of_the_seed_and_as_many():
    first = kept_rows(None, LABELS, 0.5, "random", 0)
    assert np.bincount(LABELS[first]).tolist() == [2, 2, 1]
    np.testing.assert_array_equal(first, kept_rows(None, LABELS, 0.5, "random", 0))
    np.testing.assert_array_equal(first, kept_rows(NORMS, LABELS, 0.5, "random", 0))
    draws = {tuple(kept_rows(None, LABELS, 0.5, "random", s)) for s in range(9)}
    assert len(draws) > 3


def test_equal_radii_have_no_order():
    with pytest.raises(InputError, match="give --keep=random"):
        kept_rows(np.full(10, 3.0), LABELS, 0.5, "near_root", 0)
    assert len(kept_rows(None, LABELS, 0.5, "random", 0)) == 5


def test_norms_are_those_of_the_features(network, weights, dataset):
    images = dataset.training.images
    features = network.features(weights.weights, dataset.normalise(images))
    expected = np.linalg.norm(features, axis=-1)
    found = tangent_norms(dataset, network, weights, images)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_training_split_is_pruned_and_nothing_else(config, dataset, network, tmp_path):
    config = dataclasses.replace(
        config, keep_fraction=0.4, keep_epochs=1, expert_dir=str(tmp_path)
    )
    run = RunContext.build(config, dataset)
    near = pruned_dataset(run)
    far_config = dataclasses.replace(config, keep="far_from_root")
    far = pruned_dataset(dataclasses.replace(run, config=far_config))
    assert np.bincount(near.training.labels).tolist() == [12, 12, 12]
    assert near.test is dataset.test and near.mean == dataset.mean
    # 12 + 12 of 30: no image is in both.
    seen = [{image.tobytes() for image in part.training.images} for part in (near, far)]
    assert not set.intersection(*seen)
    # One network, kept, ranks for both.
    assert len(list(tmp_path.glob("*/expert_000.npz"))) == 1
    whole = dataclasses.replace(config, keep_fraction=1.0)
    assert pruned_dataset(dataclasses.replace(run, config=whole)) is dataset


def test_distilled_set_is_pruned_and_says_so(dataset, network, weights, distilled):
    norms = tangent_norms(dataset, network, weights, distilled.images)
    kept = pruned_set(distilled, norms, 0.5, "far_from_root", 0)
    rows = 2 * np.arange(3) + norms.reshape(3, 2).argmax(axis=1)
    np.testing.assert_array_equal(kept.images, distilled.images[rows])
    assert kept.labels.tolist() == [0, 1, 2]
    assert kept.metadata["ipc"] == 1
    assert kept.metadata["pruned"] == {
        "fraction": 0.5, "keep": "far_from_root", "of": 6,
    }  # fmt: skip


def test_labels_go_with_the_images_that_are_kept(distilled):
    classes = len(distilled.metadata["label_names"])
    logits = np.arange(len(distilled.images) * classes, dtype=np.float32)
    logits = logits.reshape(-1, classes)
    soft = dataclasses.replace(distilled, label_logits=logits, student_rate=0.02)
    kept = pruned_set(soft, None, 0.5, "random", seed=0)
    rows = kept_rows(None, distilled.labels, 0.5, "random", 0)
    assert 0 < len(rows) < len(distilled.images)
    np.testing.assert_array_equal(kept.label_logits, logits[rows])
    assert kept.student_rate == 0.02


def test_too_few_images_are_refused_before_anything_trains(
    config, dataset, network, tmp_path
):
    # 0.03 x 30 images: one of each class, and two are needed.
    config = dataclasses.replace(
        config, keep_fraction=0.03, expert_dir=str(tmp_path / "experts")
    )
    with pytest.raises(InputError, match=r"images of the smallest class \(\w+\)"):
        pruned_dataset(RunContext.build(config, dataset))
    assert not (tmp_path / "experts").exists()


def test_order_does_not_depend_on_the_curvature(network, weights, dataset):
    images = dataset.training.images[:20]
    order = [
        np.argsort(
            HyperbolicEncoder(
                network, weights.weights, dataset.normalisation, curvature
            )(images)["radius"]
        ).tolist()
        for curvature in (-1.0, -0.04)
    ]
    assert order[0] == order[1]
