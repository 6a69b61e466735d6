"""The geometry where the textbook fails: far out, at the origin, and at distance 0."""

import itertools

import mpmath
import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.geometry import centroids, lorentz
from tests.geometry import oracle
from tests.geometry.matching import CURVATURES, DTYPES, features, match, match_tensors

SAMPLES = [(1, 1), (1, 3), (4, 1), (4, 3)]
LIFT_OPTIONS = [("expmap0", 0.0), ("expmap0", 10.0), ("project", 0.0)]


def error_allowed(radius, curvature, dtype="float32"):
    return 4 * np.finfo(dtype).eps * radius / np.sqrt(-curvature)


@pytest.mark.parametrize(
    ("radius", "curvature", "spread"),
    [(300.0, -1.0, 0.2), (300.0, -1 / 3, 1e-3), (1e4, -1 / 3, 0.2), (1e3, -2.0, 1e-4)],
)
def test_distance_far_out(radius, curvature, spread):
    norm = radius / np.sqrt(-curvature)
    real = np.float32(features(1, (4, 3), norm, spread))
    synthetic = np.float32(features(2, (3, 3), norm, spread))
    # Numbers of 18,000 digits are slow: each point is lifted once, and farthest out
    # there are distances of a few points only.
    samples = SAMPLES if radius < 1e4 else [(1, 1), (2, 2)]
    with mpmath.workdps(oracle.digits(real, synthetic, curvature=curvature)):
        most = np.max(samples, axis=0)
        points = [
            [oracle.lift(row, curvature, "expmap0", 0.0) for row in rows[:number]]
            for rows, number in zip((real, synthetic), most, strict=True)
        ]
        expected = {
            (n, m): float(
                oracle.distance(
                    oracle.centroid(points[0][:n], curvature),
                    oracle.centroid(points[1][:m], curvature),
                    curvature,
                )
            )
            for n, m in samples
        }
    for dtype, (n, m) in itertools.product(DTYPES, samples):
        case = f"{dtype}, {n} real and {m} synthetic"
        distance, gradient = match(real[:n], synthetic[:m], curvature, dtype=dtype)
        error = abs(distance - expected[n, m])
        assert error <= error_allowed(radius, curvature, dtype), case
        assert np.all(np.isfinite(gradient)), case


@pytest.mark.parametrize(("num_real", "num_synthetic"), SAMPLES)
@pytest.mark.parametrize("radius", [40.0, 300.0, 1000.0])
def test_gradient_far_out(num_real, num_synthetic, radius):
    real = np.float32(features(3, (num_real, 4), radius, 0.01))
    synthetic = np.float32(features(4, (num_synthetic, 4), radius, 0.01))
    expected = oracle.loss_gradient(real, synthetic, -1.0)
    for dtype in DTYPES:
        _, gradient = match(real, synthetic, -1.0, dtype=dtype)
        # The weights are exponentials of radii, each known to radius times epsilon.
        tolerance = 8 * np.finfo(dtype).eps * radius * np.abs(expected).max()
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=tolerance)


def test_the_textbook_fails_there():
    real, synthetic = features(1, (4, 5), 1e3), features(2, (3, 5), 1e3)
    with np.errstate(all="ignore"):
        assert not np.isfinite(oracle.numpy_loss(real, synthetic, -1.0, "expmap0"))
    assert np.isfinite(match(real, synthetic, -1.0)[0])


def test_far_and_near_samples_in_one_class():
    # The weights span exp(-9900); only logarithms of them exist in float32.
    radii = np.array([[1e4], [300.0], [100.0], [0.5]])
    real = np.float32(features(5, (4, 5), 1.0, 0.0) * radii)
    synthetic = np.float32(features(6, (4, 5), 1.0, 0.0) * radii[::-1] / 3)
    expected = oracle.loss(real, synthetic, -0.5)
    distance, gradient = match(real, synthetic, -0.5, dtype="float32")
    assert abs(distance - expected) <= error_allowed(1e4, -0.5)
    assert np.all(np.isfinite(gradient))


def test_copies_of_a_far_sample_are_that_sample():
    # |v_i - a|^2 must be exactly 0 here; 1e-14 would hide the true exp(-600).
    real, row = features(7, (5, 6), 300.0), features(8, (1, 6), 300.0)
    once = match(real, row, -1.0, dtype="float32")[0]
    for copies in (3, 7):
        repeated = match(real, np.repeat(row, copies, 0), -1.0, dtype="float32")[0]
        assert abs(repeated - once) <= error_allowed(300.0, -1.0)


def test_copies_of_a_far_sample_beside_lighter_ones():
    real, row = features(7, (5, 3), 300.0), features(8, (1, 3), 300.0)
    light = features(9, (1, 3), 100.0)
    for order in ([light, row, row, row], [row, light, row, row]):
        synthetic = np.float32(np.concatenate(order))
        expected = oracle.loss(np.float32(real), synthetic, -1.0)
        distance = match(real, synthetic, -1.0, dtype="float32")[0]
        assert abs(distance - expected) <= error_allowed(300.0, -1.0)


@pytest.mark.parametrize("norm", [1e-6, 1e-3, 0.3])
def test_weighted_centroid_near_the_origin(norm):
    v = np.float32(features(20, (20, 5, 3), norm))
    weights = np.float32(np.random.default_rng(21).uniform(size=(20, 5)))
    origin = lorentz.expmap0(tf.zeros([3]), -0.5)
    point = centroids.centroid(*lorentz.expmap0(tf.constant(v), -0.5), weights)
    expected = []
    with mpmath.workdps(50):
        expected_origin = oracle.lift([0.0] * 3, -0.5, "expmap0", 0.0)
        for rows, row_weights in zip(v, weights, strict=True):
            points = [oracle.lift(row, -0.5, "expmap0", 0.0) for row in rows]
            expected_point = oracle.centroid(points, -0.5, row_weights)
            expected.append(oracle.distance(expected_origin, expected_point, -0.5))
    distance = lorentz.geodesic_distance(origin, point, -0.5)
    np.testing.assert_allclose(distance, np.float64(expected), rtol=2e-6)


@pytest.mark.parametrize("lift", ["expmap0", "project"])
@pytest.mark.parametrize("norm", [1e-10, 1e-5, 1e-2, 0.3])
def test_small_features_keep_their_relative_precision(norm, lift):
    real = np.float32(features(9, (4, 5), norm))
    synthetic = np.float32(features(10, (3, 5), norm))
    distance, gradient = match(real, synthetic, -0.5, lift, dtype="float32")
    expected = oracle.loss(real, synthetic, -0.5, lift)
    np.testing.assert_allclose(distance, expected, rtol=2e-6)
    expected = oracle.loss_gradient(real, synthetic, -0.5, lift)
    np.testing.assert_allclose(gradient, expected, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("curvature", CURVATURES)
@pytest.mark.parametrize(("lift", "clamp"), LIFT_OPTIONS)
def test_zero_features(curvature, lift, clamp):
    real, synthetic = (
        np.stack([features(seed, shape, 2.0)] * 4)
        for seed, shape in ((11, (4, 3)), (12, (3, 3)))
    )
    # One row of each side is zero; the synthetic class is; both are; both nearly are.
    real[0, 2] = synthetic[0, 1] = 0.0
    synthetic[1:3] = real[2:] = 0.0
    synthetic[3] = np.eye(3) * 1e-30
    options = (curvature, lift, clamp)
    # The lifts are smooth at 0, so the gradient there is a true one.
    pairs = list(zip(real[:2], synthetic[:2], strict=True))
    expected = [oracle.loss(*pair, *options) for pair in pairs]
    expected_gradient = np.stack(
        [oracle.loss_gradient(*pair, *options) for pair in pairs]
    )
    for dtype in DTYPES:
        distance, gradient = match(real, synthetic, *options, dtype=dtype)
        rtol = 20 * np.finfo(dtype).eps
        np.testing.assert_allclose(distance[:2], expected, rtol=rtol, err_msg=dtype)
        atol = rtol * np.abs(expected_gradient).max(axis=(1, 2), keepdims=True)
        error = np.abs(gradient[:2] - expected_gradient)
        assert np.all(error <= atol), f"{dtype}: {error.max(axis=(1, 2))} > {atol}"
        assert np.all(distance[2:] < 1e-29), dtype
        assert np.all(np.isfinite(gradient)), dtype


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("samples", [1, 4])
def test_coincident_centroids(dtype, samples):
    radii = [0.0, 1e-3, 1.0, 25.0, 300.0]
    v = np.stack([features(13, (samples, 6), radius) for radius in radii])
    wrong = []
    for curvature, (lift, clamp) in itertools.product(CURVATURES, LIFT_OPTIONS):
        distance, gradient = match(v, v, curvature, lift, clamp, dtype=dtype)
        # NaN differs from 0 as well.
        not_zero = (distance != 0.0) | np.any(gradient != 0.0, axis=(1, 2))
        wrong += [
            f"{lift}, K = {curvature}, clamp {clamp}, radius {radius}"
            for radius in np.array(radii)[not_zero]
        ]
    assert not wrong


@pytest.mark.parametrize(
    "coincident", [True, pytest.param(False, marks=pytest.mark.stress)]
)
@pytest.mark.slow
def test_compiled_gradients_are_finite(coincident):
    # Kernels may return 0 for a derivative of infinity times 0; XLA does not.
    real, synthetic = features(13, (2, 3, 4), 2.0), features(14, (2, 1, 4), 2.0)
    if coincident:
        synthetic = real
    else:  # Near the origin, and far out; they share what is compiled.
        real = np.stack([real, 400 * real])
        synthetic = np.stack([synthetic, 1e3 * synthetic])
        real[0, 0], synthetic[0, 0] = 0.0, 0.0
    compiled = tf.function(match_tensors, jit_compile=True)
    arguments = (tf.constant(real, tf.float32), tf.constant(synthetic, tf.float32))
    distance, gradient = compiled(*arguments, -0.5)
    expected_distance, expected_gradient = match_tensors(*arguments, -0.5)
    np.testing.assert_allclose(distance, expected_distance, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-2, atol=1e-5)
    assert np.all(np.isfinite(gradient))


def test_gradient_is_bounded_as_centroids_meet():
    real = features(14, (4, 5), 1.0)
    for step in 10.0 ** -np.arange(1, 40, 3):
        distance, gradient = match(real, real + step, -0.5, dtype="float32")
        assert np.isfinite(distance)
        assert np.max(np.abs(gradient)) < 1.0


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("lift", ["expmap0", "project"])
def test_bad_numbers_are_not_hidden(side, value, lift):
    # The guards at 0 must let NaN through: a run stops when it sees one.
    pair = [features(15, (4, 5), 1.0), features(16, (3, 5), 1.0)]
    pair[side][1, 2] = value
    assert not np.isfinite(match(*pair, -1.0, lift, dtype="float32")[0])


def test_second_derivative_is_right():
    real, synthetic = features(17, (4, 3), 1.0), features(18, (2, 3), 1.0)
    direction = features(19, (2, 3), 1.0)
    variable = tf.constant(synthetic)
    with tf.GradientTape() as outer:
        outer.watch(variable)
        with tf.GradientTape() as inner:
            inner.watch(variable)
            distance = lorentz.geodesic_distance(
                centroids.centroid(*lorentz.expmap0(tf.constant(real), -0.5)),
                centroids.centroid(*lorentz.expmap0(variable, -0.5)),
                -0.5,
            )
        slope = tf.reduce_sum(inner.gradient(distance, variable) * direction)
    hessian_row = outer.gradient(slope, variable).numpy()
    step = 1e-5
    plus = match(real, synthetic + step * direction, -0.5)[1]
    minus = match(real, synthetic - step * direction, -0.5)[1]
    np.testing.assert_allclose(hessian_row, (plus - minus) / (2 * step), atol=1e-9)
