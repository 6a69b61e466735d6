"""Centroids that lean towards the root, against their definition with many digits."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.geometry.hyperbolic import HyperbolicGeometry
from hdd_tf.geometry.root_weighted import RootWeightedGeometry
from tests.geometry import oracle
from tests.geometry.matching import CURVATURES, features

POWERS = (1.0, 0.0, -1.0, -3.0)


def matched(real, synthetic, *options, dtype="float64"):
    """Returns losses `[c]` and the gradient of features `[c, n, d]`, `[c, m, d]`."""
    geometry, made = RootWeightedGeometry(*options), tf.constant(synthetic, dtype)
    with tf.GradientTape() as tape:
        tape.watch(made)
        loss = geometry.loss(geometry.summarize(tf.constant(real, dtype)), made)
    return loss.numpy(), tape.gradient(loss, made).numpy()


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("curvature", CURVATURES)
@pytest.mark.parametrize(
    ("lift", "clamp"), [("expmap0", 0.0), ("expmap0", 1.5), ("project", 0.0)]
)
def test_loss_and_gradient_are_those_of_the_definition(curvature, power, lift, clamp):
    real, made = (features(seed, (1, n, 4), 2.0) for seed, n in ((1, 6), (2, 3)))
    loss, gradient = matched(real, made, curvature, power, lift, clamp, 7.0)
    options = curvature, lift, clamp, power
    np.testing.assert_allclose(
        loss, 7.0 * oracle.loss(real[0], made[0], *options), rtol=1e-12
    )
    expected = 7.0 * oracle.loss_gradient(real[0], made[0], *options)
    np.testing.assert_allclose(gradient[0], expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("radius", [1e-3, 1.0, 20.0, 200.0])
def test_float32_is_near_the_definition_at_any_radius(radius):
    real, made = (features(seed, (1, n, 4), radius) for seed, n in ((1, 6), (2, 3)))
    real, made = real.astype("float32"), made.astype("float32")
    loss, gradient = matched(real, made, -1.0, -1.0, dtype="float32")
    options = real[0], made[0], -1.0, "expmap0", 0.0, -1.0
    np.testing.assert_allclose(loss, oracle.loss(*options), rtol=1e-5)
    expected = oracle.loss_gradient(*options)
    error = np.abs(gradient[0] - expected).max()
    assert error <= 1e-4 * np.abs(expected).max()


def test_power_1_is_the_lorentz_centroid_to_the_bit():
    real, made = (features(seed, (3, 6, 4), 2.0) for seed in (1, 2))
    loss, gradient = matched(real, made, -0.5, 1.0, "expmap0", 0.0, 20.0)
    geometry, synthetic = HyperbolicGeometry(-0.5, loss_weight=20.0), tf.constant(made)
    with tf.GradientTape() as tape:
        tape.watch(synthetic)
        expected = geometry.loss(geometry.summarize(tf.constant(real)), synthetic)
    np.testing.assert_array_equal(loss, expected)
    np.testing.assert_array_equal(gradient, tape.gradient(expected, synthetic))


def test_the_lower_the_power_the_nearer_the_root():
    # One point near the root and one far from it, in the same direction.
    points = tf.constant([[[0.3, 0.0], [3.0, 0.0]]])
    radii = [
        float(RootWeightedGeometry(-1.0, power).summarize(points).log_gamma[0])
        for power in POWERS
    ]
    assert radii == sorted(radii, reverse=True) and radii[0] > 2 * radii[-1]


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize(
    ("real", "made"),
    [
        (np.zeros([1, 4, 3]), np.zeros([1, 2, 3])),  # all at the root
        (np.ones([1, 4, 3]), np.ones([1, 1, 3])),  # coincident
        (np.ones([1, 4, 3]), np.zeros([1, 1, 3])),
        (1e3 * np.ones([1, 4, 3]), -1e3 * np.ones([1, 1, 3])),
    ],
)
def test_gradients_are_finite_where_something_is_singular(power, real, made):
    loss, gradient = matched(real, made, -1.0, power, dtype="float32")
    assert np.isfinite(loss).all() and np.isfinite(gradient).all()


def test_a_class_without_images_is_at_the_root():
    geometry = RootWeightedGeometry(-1.0, -1.0)
    summary = geometry.summarize(tf.ones([1, 3, 2]), tf.zeros([1, 3]))
    np.testing.assert_array_equal(summary.klein, np.zeros([1, 2]))
    np.testing.assert_array_equal(summary.log_mass, np.float32([-1e30]))
