"""DSDM against its program, and its covariances against the dense matrices."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.config import Config
from hdd_tf.data import memory
from hdd_tf.distillation.class_loop import ClassLoop
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.errors import InputError
from hdd_tf.geometry.euclidean import EuclideanGeometry
from hdd_tf.objectives.building import build_method
from hdd_tf.objectives.covariance import (
    Prototypes,
    SemanticComparison,
    SemanticDiscrepancy,
    image_covariance,
    squared_difference,
)
from hdd_tf.objectives.dsdm import PrototypeSchedule, SemanticMatching
from tests.objectives import semantic_steps
from tests.objectives.conftest import GEOMETRIES
from tests.objectives.golden_loop import NOTHING_DRAWN, ONE_DEVICE, GoldenLoop

PLAIN = EuclideanGeometry()


@pytest.fixture(scope="module")
def golden():
    return GoldenLoop("dsdm", unit_range=True)


def loss_and_gradient(real, synthetic, prototype, weights):
    """Loss of one class and its gradient, for factors of covariance and prototype."""
    real, synthetic, prototype = (
        tf.constant(x.reshape(1, len(x), -1)) for x in (real, synthetic, prototype)
    )
    discrepancy = SemanticDiscrepancy(PLAIN, weights[0])
    remembered = Prototypes(PLAIN.summarize(prototype), tf.constant(weights[1]))
    moments = discrepancy.summarize(real)
    with tf.GradientTape() as tape:
        tape.watch(synthetic)
        loss = discrepancy.loss((moments, remembered), synthetic)
    return loss[0].numpy(), tape.gradient(loss, synthetic)[0].numpy()


@pytest.mark.parametrize(
    ("dtype", "losses", "gradients"),
    [("float64", 1e-10, 1e-10), ("float32", 1e-5, 5e-5)],
)
@pytest.mark.parametrize("case", range(3))
def test_losses_of_features_equal_golden(golden, case, dtype, losses, gradients):
    get = lambda key: golden.file[f"feature{case}_{key}"]  # noqa: E731
    inputs = [
        get("real").astype(dtype),
        get("synthetic").astype(dtype),
        get("prototype")[None].astype(dtype),
    ]
    for name, weights in (
        ("mean", (0.0, 0.0)),
        ("mean_covariance", (50.0, 0.0)),
        ("all", (50.0, 0.2)),
    ):
        weights = np.array(weights, dtype)
        loss, gradient = loss_and_gradient(*inputs, weights)
        assert loss.dtype == dtype
        np.testing.assert_allclose(loss, get(f"loss_{name}"), rtol=losses)
        expected = get(f"grad_{name}").reshape(gradient.shape)
        np.testing.assert_allclose(
            gradient, expected, atol=gradients * np.abs(expected).max()
        )


class RecordedNetworks(SemanticMatching):
    """Matches in the networks that the program drew."""

    def __init__(self, golden, schedule):
        context = golden.context
        decoded = golden.file["decoded_first"].shape[0]
        super().__init__(
            lambda: None, golden.network, PLAIN, schedule, NOTHING_DRAWN,
            ClassLoop(context.class_blocks(decoded), context.dataset.num_classes),
            ONE_DEVICE, seed=0,
        )  # fmt: skip
        self._recorded = tuple(
            lambda row=row: golden.weights("model", row)
            for row in golden.file["model_index"]
        )

    def _weights(self, iteration):
        return self._recorded[int(iteration)]()


def test_loop_equals_golden(golden):
    number = {
        name: golden.file[name].item()
        for name in ("cov_weight", "h_p_weight", "smooth_factor", "smooth_iter")
    }
    schedule = PrototypeSchedule(
        number["smooth_factor"], number["h_p_weight"], number["smooth_iter"]
    )
    objective = RecordedNetworks(golden, schedule)
    comparison = SemanticComparison(
        golden.network, SemanticDiscrepancy(PLAIN, number["cov_weight"])
    )
    remembered = []
    for iteration, found in golden.iterations(objective, comparison):
        golden.assert_equal(found, iteration)
        remembered.append(objective.prototypes.read().mean.numpy())
    # As used in iterations 2 and 3, and so as iterations 1 and 2 left them.
    expected = golden.file["prototypes_before"].reshape(2, 3, -1)
    np.testing.assert_allclose(
        remembered[1:3], expected, atol=1e-5 * np.abs(expected).max()
    )


def dense_difference(real, weights, synthetic):
    """The definition, with whole matrices and without the images of weight 0."""
    matrices = [np.cov(rows.T) for rows in (real[weights > 0].astype(float), synthetic)]
    return np.sum((matrices[0] - matrices[1]) ** 2)


@pytest.mark.parametrize("length", [3, 40])
def test_gram_form_is_the_dense_one_without_padding(length):
    rng = np.random.default_rng(length)
    real, synthetic = rng.normal(5, 1, (2, 9, length)), rng.normal(5, 2, (2, 4, length))
    weights = np.array([[1] * 9, [1] * 6 + [0] * 3], float)
    found = squared_difference(
        image_covariance(real, weights), image_covariance(synthetic)
    )
    for label in range(2):
        expected = dense_difference(real[label], weights[label], synthetic[label])
        np.testing.assert_allclose(found[label], expected, rtol=1e-12)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("synthetic", [np.zeros((1, 2, 3)), np.ones((1, 2, 3))])
def test_gradients_are_finite_where_nothing_varies(geometry, synthetic):
    made, features = GEOMETRIES[geometry](), tf.constant(synthetic, tf.float32)
    discrepancy = SemanticDiscrepancy(made, 50.0)
    real = discrepancy.summarize(features)
    prototypes = Prototypes(made.summarize(features), tf.constant(0.2))
    with tf.GradientTape() as tape:
        tape.watch(features)
        loss = discrepancy.loss((real, prototypes), features)
    gradient = tape.gradient(loss, features)
    assert np.isfinite(gradient).all() and np.isfinite(loss).all()


@pytest.mark.stress
def test_blocks_and_chunks_change_nothing(problem, one_device):
    found = []
    for max_images in (10_000, 9):
        objective, comparison = semantic_steps.dsdm(
            problem, one_device, "euclidean", max_images
        )
        step, images = problem.step(
            objective, one_device, unit_range=True, max_images=max_images,
            rate=0.1, comparison=comparison,
        )  # fmt: skip
        # Eagerly: two iterations are no faster than their tracing.
        for iteration in range(2):
            step.method.iterate(tf.constant(iteration), 0)
        parts = tf.nest.flatten(objective.prototypes.read())
        found.append([x.numpy() for x in (images.images, *parts)])
    for whole, parts in zip(*found, strict=True):
        assert np.abs(whole - parts).max() <= 1e-6 * np.abs(whole).max()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"formation_factor": 1}, "matches one image of each class.*: give 2 or more"),
        ({"dsdm_max_decoded": 1}, "--dsdm_max_decoded=1 matches one image"),
        ({"real_batch": 1}, "--real_batch=1 .* looks at one real image.*: give 2"),
    ],
)
def test_one_image_has_no_covariance(problem, one_device, settings, words):
    config = Config(
        dataset="arrays", objective="dsdm", ipc=1, width=8, depth=2, **settings
    )
    context = MethodContext(config, problem.dataset, problem.network, one_device)
    with pytest.raises(InputError, match=words):
        build_method(context)


def test_networks_that_memory_does_not_hold_are_refused(
    problem, one_device, monkeypatch
):
    monkeypatch.setattr(memory, "available_memory", lambda: 10**6)
    config = Config(dataset="arrays", objective="dsdm", dsdm_networks=1000)
    context = MethodContext(config, problem.dataset, problem.network, one_device)
    with pytest.raises(InputError, match=r"--dsdm_networks=1000 .*: give fewer"):
        build_method(context)
