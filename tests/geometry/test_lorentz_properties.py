"""What must hold of hyperbolic space whatever the implementation."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.geometry import centroids, coordinates, lorentz
from tests.geometry import oracle
from tests.geometry.matching import CURVATURES, DTYPES, features, match

LIFTS = sorted(lorentz.LIFTS)


def lift(v, curvature, name="expmap0", clamp=0.0, dtype="float64"):
    return lorentz.lift(tf.constant(v, dtype), curvature, name, clamp)


def assert_same_point(actual, expected, curvature, atol=1e-9):
    actual, expected = coordinates.to_lorentz(actual, curvature), expected
    expected = coordinates.to_lorentz(expected, curvature)
    np.testing.assert_allclose(actual, expected, rtol=atol, atol=atol)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("curvature", CURVATURES)
@pytest.mark.parametrize("name", LIFTS)
@pytest.mark.parametrize("norm", [0.0, 1e-6, 1.0, 6.0])
def test_points_and_centroids_lie_on_the_hyperboloid(dtype, curvature, name, norm):
    points = lift(features(1, (2, 7, 5), norm), curvature, name, dtype=dtype)
    for point in (points, centroids.centroid(*points)):
        x = coordinates.to_lorentz(point, curvature)
        # <x, x>_L cancels, so its error grows with the square of the time coordinate.
        error = (coordinates.minkowski_inner(x, x) - 1 / curvature) / x[..., 0] ** 2
        assert np.max(np.abs(error)) <= 16 * np.finfo(dtype).eps
        assert np.all(x[..., 0] > 0)


@pytest.mark.parametrize("curvature", CURVATURES)
@pytest.mark.parametrize("name", LIFTS)
@pytest.mark.parametrize("norm", [0.1, 1.0, 3.0])
def test_equals_the_textbook_at_small_radius(curvature, name, norm):
    real, synthetic = features(2, (7, 5), norm), features(3, (4, 5), norm)
    expected = oracle.numpy_loss(real, synthetic, curvature, name)
    distance, _ = match(real, synthetic, curvature, name)
    np.testing.assert_allclose(distance, expected, rtol=1e-8)


@pytest.mark.parametrize("curvature", CURVATURES)
@pytest.mark.parametrize(
    ("name", "clamp"), [("expmap0", 0.0), ("expmap0", 1.2), ("project", 0.0)]
)
def test_gradient_equals_finite_differences(curvature, name, clamp):
    real, synthetic = features(4, (6, 4), 2.0), features(5, (3, 4), 2.0)
    _, gradient = match(real, synthetic, curvature, name, clamp)
    # One call for all coordinates: `nudges[i]` moves the i-th of them alone.
    step = 1e-5
    nudges = step * np.eye(synthetic.size).reshape(-1, *synthetic.shape)
    all_real = np.broadcast_to(real, (len(nudges), *real.shape))
    ahead, behind = (
        match(all_real, synthetic + sign * nudges, curvature, name, clamp)[0]
        for sign in (1, -1)
    )
    numeric = ((ahead - behind) / (2 * step)).reshape(gradient.shape)
    np.testing.assert_allclose(gradient, numeric, atol=1e-9)


@pytest.mark.parametrize("curvature", CURVATURES)
@pytest.mark.parametrize("name", LIFTS)
def test_curvature_only_scales(curvature, name):
    # d(K; v) = d(-1; s v) / s with s = sqrt(-K).
    s = np.sqrt(-curvature)
    real, synthetic = features(6, (6, 4), 2.0), features(7, (3, 4), 2.0)
    distance, gradient = match(real, synthetic, curvature, name)
    unit_distance, unit_gradient = match(s * real, s * synthetic, -1.0, name)
    np.testing.assert_allclose(distance, unit_distance / s, rtol=1e-12)
    np.testing.assert_allclose(gradient, unit_gradient, atol=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("curvature", CURVATURES)
@pytest.mark.parametrize("norm", [1e-8, 1e-3, 0.5, 3.0, 50.0, 5000.0])
def test_distance_from_the_origin_is_the_tangent_norm(dtype, curvature, norm):
    v = features(8, (9, 5), norm)
    origin = lift(np.zeros((1, 5)), curvature, dtype=dtype)
    distance = lorentz.geodesic_distance(
        lift(v, curvature, dtype=dtype), origin, curvature
    )
    expected = np.linalg.norm(v, axis=-1)
    np.testing.assert_allclose(distance, expected, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("curvature", CURVATURES)
def test_distance_is_a_metric(curvature):
    points = lift(features(9, (12, 3), 3.0, 0.9), curvature)
    row = tuple(t[:, None] for t in points)
    column = tuple(t[None, :] for t in points)
    distance = lorentz.geodesic_distance(row, column, curvature).numpy()
    np.testing.assert_array_equal(np.diag(distance), 0.0)
    np.testing.assert_allclose(distance, distance.T, rtol=1e-14)
    assert np.all(distance + np.eye(12) > 0)
    assert np.all(distance[:, None, :] <= (distance[:, :, None] + distance) + 1e-12)


def test_rotation_is_an_isometry():
    real, synthetic = features(10, (6, 5), 2.0), features(11, (3, 5), 2.0)
    rotation, _ = np.linalg.qr(np.random.default_rng(12).normal(size=(5, 5)))
    distance, gradient = match(real, synthetic, -0.5)
    rotated = match(real @ rotation, synthetic @ rotation, -0.5)
    np.testing.assert_allclose(rotated[0], distance, rtol=1e-13)
    np.testing.assert_allclose(rotated[1], gradient @ rotation, atol=1e-13)


@pytest.mark.parametrize("norm", [0.2, 2.0, 200.0])
def test_centroid_ignores_order(norm):
    points = lift(features(13, (9, 5), norm), -0.5)
    order = np.random.default_rng(14).permutation(9)
    shuffled = centroids.centroid(*(tf.gather(t, order) for t in points))
    for actual, expected in zip(shuffled, centroids.centroid(*points), strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-13 * max(norm, 1))


@pytest.mark.parametrize("norm", [0.2, 2.0, 200.0])
def test_weights_are_repetition(norm):
    klein, log_gamma = lift(features(15, (4, 5), norm), -2.0)
    counts = [2, 0, 1, 3]
    weighted = centroids.centroid_with_mass(
        klein, log_gamma, tf.constant(counts, tf.float64)
    )
    repeated = centroids.centroid_with_mass(
        tf.repeat(klein, counts, axis=0), tf.repeat(log_gamma, counts)
    )
    for actual, expected in zip(weighted, repeated, strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-13 * max(norm, 1))


def test_lorentz_weights_are_shares_of_cosh():
    radii, weights = np.array([0.3, 1.0, 2.0, 0.0]), np.array([1.0, 0.0, 2.0, 0.5])
    log_gamma = tf.constant(np.log(np.cosh(radii)))
    expected = np.cosh(radii) / np.cosh(radii).sum()
    np.testing.assert_allclose(centroids.lorentz_weights(log_gamma), expected)
    expected = weights * np.cosh(radii) / (weights * np.cosh(radii)).sum()
    np.testing.assert_allclose(centroids.lorentz_weights(log_gamma, weights), expected)
    np.testing.assert_array_equal(
        centroids.lorentz_weights(log_gamma, tf.zeros([4])), np.zeros(4)
    )


PARTITIONS = [[9], [4, 5], [1, 8], [1, 1, 1, 6], [1] * 9, [3, 0, 6]]


@pytest.mark.parametrize("sizes", PARTITIONS)
@pytest.mark.parametrize("norm", [0.2, 2.0, 200.0, 5000.0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_merged_parts_are_the_whole(sizes, norm, dtype):
    rng = np.random.default_rng(16)
    klein, log_gamma = lift(features(17, (2, 9, 5), norm), -0.5, dtype=dtype)
    weights = tf.constant(rng.uniform(0.1, 2.0, size=(2, 9)), dtype)
    whole = centroids.centroid_with_mass(klein, log_gamma, weights)
    # A part is the whole set with the others' weights at 0; one may be empty.
    member = np.repeat(np.arange(len(sizes)), sizes)
    parts = [
        centroids.centroid_with_mass(klein, log_gamma, weights * (member == part))
        for part in range(len(sizes))
    ]
    stacked = [tf.stack(tensors) for tensors in zip(*parts, strict=True)]
    merged = centroids.merge_centroids(*stacked)
    tolerance = 16 * np.finfo(dtype).eps * max(norm, 1)
    for actual, expected in zip(merged, whole, strict=True):
        assert actual.shape == expected.shape
        np.testing.assert_allclose(actual, expected, atol=tolerance, rtol=tolerance)


def test_empty_sets_give_no_nan():
    v = tf.constant(features(18, (2, 4, 3), 2.0))
    weights = tf.constant([[0.0] * 4, [1.0] * 4], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch([v, weights])
        parts = centroids.centroid_with_mass(*lorentz.expmap0(v, -1.0), weights)
        # Parts of nothing at all, beside parts of something.
        merged = centroids.merge_centroids(*(tf.stack([t, t]) for t in parts))
        total = tf.reduce_sum(merged[0]) + tf.reduce_sum(merged[1]) + merged[2][1]
    for part, whole in zip(parts, merged, strict=True):
        np.testing.assert_array_equal(part[0], whole[0])
    np.testing.assert_array_equal(parts[0][0], np.zeros(3))
    assert parts[1][0] == 0.0
    assert parts[2][0] == -1e30  # Finite, and its exponential is 0.
    # Banks of earlier versions have -inf.
    old = [tf.where(t == -1e30, tf.constant(-np.inf, t.dtype), t) for t in parts]
    again = centroids.merge_centroids(*(tf.stack([t, t]) for t in old))
    for now, then in zip(merged, again, strict=True):
        np.testing.assert_array_equal(now, then)
    np.testing.assert_allclose(merged[2][1], parts[2][1] + np.log(2.0), rtol=1e-14)
    for gradient in tape.gradient(total, [v, weights]):
        assert np.all(np.isfinite(gradient))


@pytest.fixture
def check_numerics():
    """TensorFlow's search for NaN and infinity, which looks at every operation."""
    tf.debugging.enable_check_numerics()
    yield
    tf.debugging.disable_check_numerics()


def test_no_infinity_where_weights_or_distances_are_zero(check_numerics):
    v = tf.constant(features(18, (3, 4, 3), 2.0), tf.float32)
    weights = tf.constant([[0.0] * 4, [1.0] * 4, [1.0, 0.0, 2.0, 0.0]])
    for some, shares in ((v, weights), (v[:, :1], weights[:, :1]), (0.0 * v, weights)):
        with tf.GradientTape() as tape:
            tape.watch([some, shares])
            points = lorentz.expmap0(some, -1.0)
            part = centroids.centroid_with_mass(*points, shares)
            klein, log_gamma, _ = centroids.merge_centroids(
                *(tf.stack([t, t]) for t in part)
            )
            apart = lorentz.geodesic_distance((klein, log_gamma), part[:2], -1.0)
            same = lorentz.geodesic_distance(points, points, -1.0)
            total = tf.reduce_sum(apart) + tf.reduce_sum(same)
        tape.gradient(total, [some, shares])


@pytest.mark.parametrize("curvature", CURVATURES)
@pytest.mark.parametrize("norm", [0.0, 1e-9, 0.5, 4.0])
def test_round_trips_of_coordinates(curvature, norm):
    points = lift(features(19, (2, 6, 4), norm), curvature)
    hyperboloid = coordinates.to_lorentz(points, curvature)
    for back in (
        coordinates.from_lorentz(hyperboloid, curvature),
        coordinates.from_poincare(
            coordinates.to_poincare(points, curvature), curvature
        ),
    ):
        assert_same_point(back, points, curvature)


@pytest.mark.parametrize("curvature", CURVATURES)
def test_poincare_coordinates_are_half_the_radius(curvature):
    v, s = features(20, (6, 4), 2.0), np.sqrt(-curvature)
    norm = np.linalg.norm(v, axis=-1, keepdims=True)
    expected = np.tanh(s * norm / 2) / s * v / norm
    actual = coordinates.to_poincare(lift(v, curvature), curvature)
    np.testing.assert_allclose(actual, expected, rtol=1e-13)


@pytest.mark.parametrize("curvature", CURVATURES)
def test_projection_is_the_exponential_map_of_asinh(curvature):
    v, s = features(21, (6, 4), 2.0), np.sqrt(-curvature)
    norm = np.linalg.norm(v, axis=-1, keepdims=True)
    same = lift(np.arcsinh(s * norm) / s * v / norm, curvature)
    assert_same_point(lift(v, curvature, "project"), same, curvature, 1e-12)


@pytest.mark.parametrize("curvature", CURVATURES)
def test_clamp_shrinks_and_stops_the_radial_gradient(curvature):
    real, synthetic = features(22, (6, 4), 8.0), features(23, (3, 4), 8.0)
    s, clamp = np.sqrt(-curvature), 1.5
    norm = np.linalg.norm(synthetic, axis=-1, keepdims=True)
    shrunk = clamp / s * synthetic / norm
    assert_same_point(
        lift(synthetic, curvature, clamp=clamp), lift(shrunk, curvature), curvature
    )
    _, gradient = match(real, synthetic, curvature, max_tangent_norm=clamp)
    assert np.max(np.abs(gradient)) > 1e-3
    np.testing.assert_allclose((gradient * synthetic).sum(-1), 0.0, atol=1e-14)


def test_points_within_the_clamp_are_left_alone():
    v = features(24, (6, 4), 1.0)
    for clamped, free in zip(lift(v, -2.0, clamp=5.0), lift(v, -2.0), strict=True):
        np.testing.assert_array_equal(clamped, free)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LIFTS)
def test_eager_equals_graph_with_unknown_sizes(dtype, name):
    def chain(real, synthetic):
        return lorentz.geodesic_distance(
            centroids.centroid(*lorentz.lift(real, -0.5, name, 10.0)),
            centroids.centroid(*lorentz.lift(synthetic, -0.5, name, 10.0)),
            -0.5,
        )

    spec = tf.TensorSpec([None, None, 5], dtype)
    graph = tf.function(chain, input_signature=[spec, spec])
    for norm in (0.0, 1.0, 30.0):
        real = tf.constant(features(25, (3, 6, 5), norm), dtype)
        synthetic = tf.constant(features(26, (3, 2, 5), norm), dtype)
        eager, traced = chain(real, synthetic), graph(real, synthetic)
        assert eager.shape == (3,)
        np.testing.assert_allclose(traced, eager, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("curvature", [0.0, 1.0, -np.inf, np.nan])
def test_rejects_curvatures(curvature):
    v = tf.ones([2, 3])
    point = lorentz.expmap0(v, -1.0)
    for call in (
        lambda: lorentz.expmap0(v, curvature),
        lambda: lorentz.project(v, curvature),
        lambda: lorentz.lift(v, curvature),
        lambda: lorentz.geodesic_distance(point, point, curvature),
        lambda: coordinates.to_lorentz(point, curvature),
        lambda: coordinates.to_poincare(point, curvature),
    ):
        with pytest.raises(ValueError, match=f"negative and finite.*{curvature}"):
            call()


def test_rejects_other_options():
    with pytest.raises(ValueError, match=r"expmap0.*project.*Received: 'exp'"):
        lorentz.lift(tf.ones([2, 3]), -1.0, "exp")
    for clamp in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match=f"max_tangent_norm.*Received: {clamp}"):
            lorentz.lift(tf.ones([2, 3]), -1.0, max_tangent_norm=clamp)
