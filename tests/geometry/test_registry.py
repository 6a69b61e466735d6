"""What the training step uses: summaries, merging, losses, by name."""

import types

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.errors import InputError
from hdd_tf.geometry.registry import (
    GEOMETRIES,
    EuclideanGeometry,
    HyperbolicGeometry,
    ProductGeometry,
    ProductParameters,
    RootWeightedGeometry,
    UnsquaredGeometry,
    build_geometry,
)
from tests.geometry import oracle
from tests.geometry.matching import features

REAL, SYNTHETIC = features(1, (3, 8, 4), 2.0), features(2, (3, 2, 4), 2.0)
BUILT = {
    "hyperbolic": lambda: HyperbolicGeometry(-0.5, "expmap0", 10.0, 20.0),
    "euclidean": EuclideanGeometry,
    "euclidean_unsquared": lambda: UnsquaredGeometry(20.0),
    "product": lambda: ProductGeometry(
        ProductParameters(-0.5, 0.2, 1.0, 0.1, 0.1), "expmap0", 10.0, 20.0
    ),
    "root_weighted": lambda: RootWeightedGeometry(-0.5, -2.0, "expmap0", 10.0, 20.0),
}
# Power of cosh(r) in the weights of the centroids.
POWERS = {"hyperbolic": 1, "root_weighted": -2}
# The factors of a product have tests of their own.
each_single = pytest.mark.parametrize("name", sorted({*BUILT} - {"product"}))
each_geometry = pytest.mark.parametrize("name", sorted(BUILT))


def config(**changes):
    values = {
        "geometry": "hyperbolic",
        "curvature": -0.5,
        "lift": "project",
        "max_tangent_norm": 0.0,
        "loss_weight": 20.0,
        "root_power": -1.0,
    }
    return types.SimpleNamespace(**(values | changes))


def each_tensor(*summaries):
    return zip(*map(tf.nest.flatten, summaries), strict=True)


def test_every_geometry_is_tested():
    assert sorted(GEOMETRIES) == sorted(BUILT)


def test_losses_by_name():
    real, synthetic = tf.constant(REAL), tf.constant(SYNTHETIC)
    hyperbolic = build_geometry(config())
    expected = [
        20.0 * oracle.numpy_loss(*pair, -0.5, "project")
        for pair in zip(REAL, SYNTHETIC, strict=True)
    ]
    actual = hyperbolic.loss(hyperbolic.summarize(real), synthetic)
    np.testing.assert_allclose(actual, expected, rtol=1e-9)
    # lambda belongs to the hyperbolic loss; the plain one does not have it.
    euclidean = build_geometry(config(geometry="euclidean"))
    expected = np.square(REAL.mean(1) - SYNTHETIC.mean(1)).sum(-1)
    actual = euclidean.loss(euclidean.summarize(real), synthetic)
    np.testing.assert_allclose(actual, expected, rtol=1e-12)
    unsquared = build_geometry(config(geometry="euclidean_unsquared"))
    actual = unsquared.loss(unsquared.summarize(real), synthetic)
    np.testing.assert_allclose(actual, 20.0 * np.sqrt(expected), rtol=1e-12)


@each_geometry
@pytest.mark.parametrize("weighted", [False, True])
def test_merged_chunks_are_the_whole(name, weighted):
    geometry, real = BUILT[name](), tf.constant(REAL)
    weights = np.random.default_rng(3).uniform(size=(3, 8))
    weights[0, 4:] = 0.0  # class 0 has no image in the second chunk
    weights = tf.constant(weights) if weighted else None
    whole = geometry.summarize(real, weights)
    chunks = [
        geometry.summarize(real[:, part], None if weights is None else weights[:, part])
        for part in (slice(0, 4), slice(4, 7), slice(7, 8))
    ]
    stacked = tf.nest.map_structure(lambda *parts: tf.stack(parts), *chunks)
    merged = geometry.merge(stacked)
    assert type(merged) is type(whole)
    for actual, expected in each_tensor(merged, whole):
        np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(
        geometry.loss(merged, tf.constant(SYNTHETIC)),
        geometry.loss(whole, tf.constant(SYNTHETIC)),
        rtol=1e-12,
    )


@each_geometry
def test_weight_zero_is_absence(name):
    geometry, real = BUILT[name](), tf.constant(REAL)
    weights = tf.constant([[1.0] * 5 + [0.0] * 3] * 3)
    for actual, expected in each_tensor(
        geometry.summarize(real, weights), geometry.summarize(real[:, :5])
    ):
        np.testing.assert_allclose(actual, expected, rtol=1e-13)


@each_geometry
def test_gradient_reaches_only_the_synthetic_side(name):
    geometry = BUILT[name]()
    real, synthetic = tf.constant(REAL), tf.constant(SYNTHETIC)
    with tf.GradientTape() as tape:
        tape.watch([real, synthetic])
        loss = geometry.loss(geometry.summarize(real), synthetic)
    real_gradient, gradient = tape.gradient(loss, [real, synthetic])
    assert real_gradient is None
    assert np.max(np.abs(gradient)) > 0


@each_geometry
def test_low_precision_features(name):
    geometry = BUILT[name]()
    real, synthetic = tf.cast(REAL, "bfloat16"), tf.cast(SYNTHETIC, "bfloat16")
    summary = geometry.summarize(real, tf.ones([3, 8]))
    assert {tensor.dtype for tensor in tf.nest.flatten(summary)} == {tf.float32}
    loss = geometry.loss(summary, synthetic)
    assert loss.dtype == tf.float32
    wide = geometry.loss(
        geometry.summarize(tf.cast(real, tf.float32)), tf.cast(synthetic, tf.float32)
    )
    np.testing.assert_allclose(loss, wide, rtol=1e-5)


@each_geometry
def test_graph_with_unknown_sizes(name):
    geometry = BUILT[name]()

    def step(real, weights, synthetic):
        parts = tf.nest.map_structure(
            lambda *parts: tf.stack(parts),
            geometry.summarize(real[:, :3], weights[:, :3]),
            geometry.summarize(real[:, 3:], weights[:, 3:]),
        )
        return geometry.loss(geometry.merge(parts), synthetic)

    images = tf.TensorSpec([None, None, 4], "float32")
    signature = [images, tf.TensorSpec([None, None], "float32"), images]
    arguments = [
        tf.cast(x, tf.float32) for x in (REAL, np.ones(REAL.shape[:2]), SYNTHETIC)
    ]
    graph = tf.function(step, input_signature=signature)
    np.testing.assert_allclose(graph(*arguments), step(*arguments), rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"geometry": "spherical"}, "--geometry=spherical.*euclidean, .*hyperbolic"),
        ({"curvature": 1.0}, "`curvature` must be negative.*Received: 1.0"),
        ({"loss_weight": -1.0}, "`loss_weight`.*Received: -1.0"),
        ({"geometry": "root_weighted", "root_power": 2.0}, "`power`.*Received: 2.0"),
        ({"lift": "log"}, "`lift` must be one of.*Received: 'log'"),
    ],
)
def test_unusable_configurations_are_input_errors(changes, message):
    with pytest.raises(InputError, match=message):
        build_geometry(config(**changes))


@each_single
def test_centroids_blend_by_share_whatever_their_masses(name):
    geometry = BUILT[name]()
    first, second = geometry.summarize(REAL), geometry.summarize(SYNTHETIC)
    for share in (0.0, 0.3, 1.0):
        found = geometry.blend(first, second, tf.constant(share, tf.float64))
        for label in range(3):
            if name.startswith("euclidean"):
                means = REAL[label].mean(0), SYNTHETIC[label].mean(0)
                expected = (1 - share) * means[0] + share * means[1]
                np.testing.assert_allclose(found.mean[label], expected, rtol=1e-12)
                continue
            centres = [
                oracle.centre(rows[label], -0.5, "expmap0", 10.0, POWERS[name])
                for rows in (REAL, SYNTHETIC)
            ]
            leaning = oracle.rooted(centres, -0.5, POWERS[name])
            shares = [(1 - share) * leaning[0], share * leaning[1]]
            expected = oracle.centroid(centres, -0.5, shares)
            klein = [float(x / expected[0]) for x in expected[1:]]
            np.testing.assert_allclose(found.klein[label], klein, rtol=1e-9)
            # The time coordinate is cosh(r) / s.
            gamma = np.log(float(expected[0]) * np.sqrt(0.5))
            np.testing.assert_allclose(found.log_gamma[label], gamma, rtol=1e-9)


@each_single
def test_scatter_is_the_sum_of_squared_distances_from_the_centroid(name):
    geometry = BUILT[name]()
    for label, found in enumerate(geometry.scatter(tf.constant(REAL))):
        rows = REAL[label]
        if name.startswith("euclidean"):
            expected = np.square(rows - rows.mean(0)).sum()
        else:
            centre = oracle.centre(rows, -0.5, "expmap0", 10.0, POWERS[name])
            points = [oracle.lift(row, -0.5, "expmap0", 10.0) for row in rows]
            expected = sum(float(oracle.distance(p, centre, -0.5)) ** 2 for p in points)
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    # One image is its own centroid.
    single = tf.constant(SYNTHETIC[:, :1])
    with tf.GradientTape() as tape:
        tape.watch(single)
        scatter = geometry.scatter(single)
    assert np.isfinite(tape.gradient(scatter, single)).all()
    np.testing.assert_allclose(scatter, 0.0, atol=1e-12)
