"""The product of three spaces: its distance, and what is learnt of it."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.geometry.product import ProductGeometry
from hdd_tf.geometry.product_parameters import ProductParameters
from tests.geometry import oracle
from tests.geometry.matching import features

CURVATURES = ((-1.0, 1.0), (-0.5, 0.2), (-2.0, 0.05))
LEARNING = (1.0, 0.1, 0.1)


def product(curvature, spherical, *learning, weight=20.0):
    parameters = ProductParameters(curvature, spherical, *(learning or LEARNING))
    return ProductGeometry(parameters, loss_weight=weight), parameters


def pair(radius=1.0):
    return (features(seed, (2, n, 4), radius) for seed, n in ((1, 6), (2, 3)))


def textbook_distances(real, made, curvature, spherical):
    """The three distances of one class, each by its definition."""
    scale = np.sqrt(spherical)
    return [
        np.linalg.norm(real.mean(0) - made.mean(0)),
        oracle.loss(real, made, curvature),
        oracle.spherical_loss(scale * real, scale * made) / scale,
    ]


@pytest.mark.parametrize("curvatures", CURVATURES)
@pytest.mark.parametrize("logits", [(0.0, 0.0, 0.0), (1.0, -0.5, 0.3)])
def test_loss_is_lambda_times_the_distance_of_the_product(curvatures, logits):
    real, made = pair()
    geometry, parameters = product(*curvatures)
    parameters._logits.assign(logits)
    weights = np.exp(logits) / np.exp(logits).sum()
    loss, facts = geometry.loss_and_facts(
        geometry.summarize(tf.constant(real)), tf.constant(made)
    )
    for label in range(2):
        distances = textbook_distances(real[label], made[label], *curvatures)
        parts = weights * np.square(distances)
        np.testing.assert_allclose(loss[label], 20 * np.sqrt(parts.sum()), rtol=1e-6)
        np.testing.assert_allclose(facts[label, :3], parts / parts.sum(), rtol=1e-5)
        lengths = np.linalg.norm(real[label], axis=-1)
        np.testing.assert_allclose(facts[label, 3], np.log(lengths).mean(), rtol=1e-5)


@pytest.mark.parametrize("curvatures", CURVATURES)
def test_gradient_is_that_of_finite_differences(curvatures):
    real, made = pair()
    geometry, _ = product(*curvatures)
    (found,), (numeric,) = tf.test.compute_gradient(
        lambda x: geometry.loss(geometry.summarize(tf.constant(real)), x), [made]
    )
    np.testing.assert_allclose(found, numeric, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("real", "made"),
    [
        (np.zeros([1, 4, 3]), np.zeros([1, 2, 3])),
        (np.full([1, 4, 3], 0.4), np.full([1, 1, 3], 0.4)),
        (np.full([1, 2, 1], 9.0), np.full([1, 1, 1], -9.0)),
        (np.full([1, 2, 1], 9.0), np.float64([[[9.0], [-9.0]]])),
        (np.full([1, 2, 1], 1e4), np.full([1, 1, 1], -1e4)),
    ],
)
def test_gradients_are_finite_where_something_is_singular(real, made):
    geometry, _ = product(-1.0, 1.0)
    made = tf.constant(made, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(made)
        loss, facts = geometry.loss_and_facts(
            geometry.summarize(tf.constant(real, tf.float32)), made
        )
    for found in (loss, facts, tape.gradient(loss, made)):
        assert np.isfinite(found).all()
    # Where no factor has a distance, none has a larger share.
    if not loss.numpy().any():
        np.testing.assert_allclose(facts[:, :3], 1 / 3, rtol=1e-6)


def test_scatter_is_the_weighted_sum_of_the_factors():
    rows = next(iter(pair()))[:1]
    geometry, _ = product(-0.5, 0.2)
    expected = 0.0
    for row in rows[0]:
        distances = textbook_distances(rows[0], row[None], -0.5, 0.2)
        expected += np.square(distances).sum() / 3
    np.testing.assert_allclose(geometry.scatter(tf.constant(rows)), [expected], 1e-6)


def test_blend_takes_each_factor_by_itself():
    real, made = pair()
    geometry, _ = product(-0.5, 0.2)
    both = [geometry.summarize(tf.constant(x)) for x in (real, made)]
    found = geometry.blend(*both, tf.constant(0.3, tf.float64))
    for name in ("flat", "hyperbolic", "spherical"):
        own = getattr(geometry, f"_{name}")
        expected = own.blend(
            *(getattr(x, name) for x in both), tf.constant(0.3, tf.float64)
        )
        for mine, theirs in zip(getattr(found, name), expected, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def learnt(geometry, parameters, real, made, steps):
    @tf.function
    def step():
        summary = geometry.summarize(tf.constant(real))
        parameters.learn(geometry.loss_and_facts(summary, tf.constant(made))[1])

    for _ in range(steps):
        step()


def test_curvatures_end_where_features_lie_at_the_radius():
    real, made = pair(radius=7.0)
    geometry, parameters = product(-1.0, 0.3, 0.8, 0.1, 0.0)
    learnt(geometry, parameters, real, made, 150)
    length = np.exp(np.log(np.linalg.norm(real, axis=-1)).mean())
    np.testing.assert_allclose(parameters.scales(tf.float32), 0.8 / length, rtol=1e-5)
    np.testing.assert_allclose(parameters.weights(tf.float32), 1 / 3, rtol=1e-6)


def test_weights_end_where_every_factor_has_a_third_of_the_squared_distance():
    real, made = pair()
    # One factor's distances are far shorter than the others', which must not vanish.
    geometry, parameters = product(-60.0, 1.0, 1.0, 0.0, 0.2)
    learnt(geometry, parameters, real, made, 400)
    summary = geometry.summarize(tf.constant(real))
    facts = geometry.loss_and_facts(summary, tf.constant(made))[1].numpy()
    np.testing.assert_allclose(facts[:, :3].mean(0), 1 / 3, atol=1e-4)
    weights = parameters.weights(tf.float32).numpy()
    assert 0.005 < weights.min() < 0.05 and weights.argmax() == 1
    np.testing.assert_allclose(weights.sum(), 1.0, rtol=1e-6)


def test_the_step_of_the_weights_is_the_gradient_of_its_function():
    parameters = ProductParameters(-1.0, 1.0, 1.0, 0.0, 0.3)
    parameters._logits.assign([0.2, -0.4, 0.1])
    distances = tf.constant([[1.0, 3.0, 0.5]])
    logits = tf.constant(parameters._logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        log_weights = tf.nn.log_softmax(logits)
        total = tf.reduce_sum(tf.exp(log_weights) * distances[0] ** 2)
        function = tf.math.log(total) - tf.reduce_mean(log_weights)
    expected = logits - 0.3 * tape.gradient(function, logits)
    parameters.learn(parameters.facts(distances, tf.zeros([1])))
    np.testing.assert_allclose(parameters._logits, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((1.0, 1.0, *LEARNING), "`curvature` has no such value"),
        ((-1.0, -1.0, *LEARNING), "`spherical_curvature` has no such value"),
        ((-1.0, 1.0, 0.0, 0.1, 0.1), "`radius` has no such value"),
    ],
)
def test_unusable_parameters(arguments, words):
    with pytest.raises(ValueError, match=words):
        ProductParameters(*arguments)


def test_only_what_learns_is_a_learner():
    assert product(-1.0, 1.0)[0].learner is not None
    assert product(-1.0, 1.0, 1.0, 0.0, 0.0)[0].learner is None
    assert product(-1.0, 1.0)[1].bank_remedy == "--product_curvature_lr=0"
    assert product(-1.0, 1.0, 1.0, 0.0, 0.1)[1].bank_remedy == ""
