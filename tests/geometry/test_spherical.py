"""The sphere against its textbook formulas, with many digits where they cancel."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.geometry import spherical
from hdd_tf.geometry.spherical import SphericalGeometry
from tests.geometry import oracle
from tests.geometry.matching import features

RADII = (1e-6, 0.3, 1.2)


def matched(real, made, dtype="float64"):
    geometry, made = SphericalGeometry(), tf.constant(made, dtype)
    with tf.GradientTape() as tape:
        tape.watch(made)
        loss = geometry.loss(geometry.summarize(tf.constant(real, dtype)), made)
    return loss.numpy(), tape.gradient(loss, made).numpy()


@pytest.mark.parametrize("radius", RADII)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-9), ("float32", 1e-4)])
def test_loss_is_the_textbooks(radius, dtype, tolerance):
    real, made = (features(seed, (2, n, 4), radius) for seed, n in ((1, 6), (2, 3)))
    loss, _ = matched(real, made, dtype)
    expected = [oracle.spherical_loss(*pair) for pair in zip(real, made, strict=True)]
    np.testing.assert_allclose(loss, expected, rtol=tolerance)


@pytest.mark.parametrize("radius", RADII[1:])
def test_gradient_is_that_of_finite_differences(radius):
    real, made = (features(seed, (2, n, 4), radius) for seed, n in ((1, 6), (2, 3)))
    geometry = SphericalGeometry()
    (found,), (numeric,) = tf.test.compute_gradient(
        lambda x: geometry.loss(geometry.summarize(tf.constant(real)), x), [made]
    )
    np.testing.assert_allclose(found, numeric, rtol=1e-5, atol=1e-8)


def test_points_have_length_1_and_keep_their_distance_from_the_root():
    v = tf.constant(features(3, (50, 4), 1.0))
    points = spherical.expmap0(v)
    np.testing.assert_allclose(np.linalg.norm(points, axis=-1), 1.0, rtol=1e-14)
    root = spherical.expmap0(tf.zeros([50, 4], tf.float64))
    lengths = np.linalg.norm(v, axis=-1)
    np.testing.assert_allclose(spherical.angle(points, root), lengths, rtol=1e-12)


def test_what_is_far_stays_in_the_hemisphere():
    far = spherical.expmap0(tf.constant([[30.0, 40.0]]))
    np.testing.assert_allclose(far, [[0.0, 0.6, 0.8]], atol=1e-6)


@pytest.mark.parametrize(
    ("real", "made", "expected"),
    [
        (np.zeros([1, 4, 3]), np.zeros([1, 2, 3]), 0.0),  # all at the root
        (np.full([1, 4, 3], 0.4), np.full([1, 1, 3], 0.4), 0.0),  # coincident
        # Antipodes, at right angles from the root.
        (np.full([1, 2, 1], 9.0), np.full([1, 1, 1], -9.0), np.pi),
        # Points that cancel have no direction, so they are at a right angle to all.
        (np.full([1, 2, 1], 9.0), np.float64([[[9.0], [-9.0]]]), np.pi / 2),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_singular_points_have_finite_gradients(real, made, expected, dtype):
    loss, gradient = matched(real, made, dtype)
    assert loss.dtype == dtype
    np.testing.assert_allclose(loss, [expected], atol=1e-6)
    assert np.isfinite(gradient).all()


def test_scatter_and_blend():
    rows = features(4, (1, 5, 3), 0.8)
    geometry = SphericalGeometry()
    centre = geometry.summarize(tf.constant(rows))
    angles = [oracle.spherical_loss(rows[0], rows[0, k : k + 1]) for k in range(5)]
    expected = np.square(angles).sum()
    np.testing.assert_allclose(geometry.scatter(tf.constant(rows)), [expected])
    other = geometry.summarize(tf.constant(-rows))
    half = geometry.blend(centre, other, 0.5).mean
    directions = [x.mean / np.linalg.norm(x.mean) for x in (centre, other)]
    np.testing.assert_allclose(half, 0.5 * (directions[0] + directions[1]))
