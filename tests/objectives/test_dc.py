"""DC: distances, gradients and one network's life, beside the authors' program."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.config import Config
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.distillation.comparison import SyntheticBatch
from hdd_tf.distillation.image_sgd import ImageSGD
from hdd_tf.distillation.objective import Pass
from hdd_tf.distillation.synthetic_set import SyntheticSet
from hdd_tf.errors import InputError
from hdd_tf.networks.registry import build_network
from hdd_tf.objectives.gradient_matching.gradients import (
    GradientComparison,
    WeightGradients,
)
from hdd_tf.objectives.gradient_matching.living_network import LivingNetwork
from hdd_tf.objectives.gradient_matching.row_distance import (
    angle_distance,
    geodesic_distance,
    total_distance,
)
from hdd_tf.protocols.published import evaluation_protocol
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.training.inner_training import (
    InnerSchedule,
    InnerTraining,
)
from tests.objectives.gradient_golden import (
    GivenMatching,
    GivenTraining,
    Golden,
    PlainNetwork,
    error,
)


def distance_and_gradient(distance, real, synthetic):
    real, synthetic = tf.constant(real), tf.constant(synthetic)
    with tf.GradientTape() as tape:
        tape.watch(synthetic)
        found = total_distance(distance, [real], [synthetic])
    gradient = tape.gradient(found, synthetic)
    return found.numpy(), None if gradient is None else gradient.numpy()


@pytest.mark.parametrize("case", range(6))
def test_distances_equal_golden(case):
    golden = Golden("dc", f"distance{case}_")
    pair = [golden[side].astype(np.float64) for side in ("real", "synthetic")]
    found, gradient = distance_and_gradient(angle_distance, *pair)
    assert abs(found - golden["value"]) <= 1e-9
    if golden["real"].ndim > 1:
        assert error(gradient, golden["grad_synthetic"]) <= 1e-9
    else:
        assert golden["value"] == 0 and gradient is None


@pytest.mark.parametrize("case", range(2))
def test_loss_and_gradients_equal_golden(case):
    """In float64, as the definition reads."""
    golden = Golden("dc", f"case{case}_")
    weights, gradients = golden.weights(), WeightGradients(golden.network())
    synthetic = tf.constant(golden["synthetic"], tf.float64)
    labels = tf.range(len(synthetic))

    def mean_gradients(images, count, label):
        valid = tf.cast(tf.range(len(images)) < count, tf.float64) / count
        images, labels = tf.constant(images, tf.float64), tf.fill([len(images)], label)
        return gradients.of(weights, images, valid, labels)

    real = [
        mean_gradients(*of_class)
        for of_class in zip(golden["real"], golden["real_count"], labels, strict=True)
    ]
    real = [tf.stack(parts) for parts in zip(*real, strict=True)]
    for found, expected in zip(real, golden.gradients("real"), strict=True):
        assert error(found, expected) <= 1e-9
    comparison = GradientComparison(gradients, angle_distance)
    with tf.GradientTape() as tape:
        tape.watch(synthetic)
        loss = comparison.loss(Pass(weights), real, SyntheticBatch(synthetic, labels))
    assert error(loss, golden["loss_per_class"]) <= 1e-9
    assert error(tape.gradient(loss, synthetic), golden["grad_synthetic"]) <= 1e-9


# Classes at once; one by one, with real images in parts.
@pytest.mark.parametrize(
    ("case", "max_images", "max_classes"), [(0, 100, None), (1, 3, 1)]
)
def test_a_step_equals_golden(case, max_images, max_classes):
    golden = Golden("dc", f"case{case}_")
    matching = GivenMatching(golden, max_images, max_classes)
    matched = matching.match(tf.constant(0))
    assert error(matched.loss, golden["loss_per_class"]) <= 1e-5
    assert error(matched.gradient, golden["grad_synthetic"]) <= 1e-4


def test_a_summary_is_the_mean_over_the_images_that_a_class_has():
    golden = Golden("dc", "case0_")
    assert len(set(golden.real_count)) > 1
    matching = GivenMatching(golden, 4)
    rows, weights = matching.draw_real(tf.constant(0))
    classes = tf.range(len(rows))
    real = matching.real_images(classes, rows, weights, None)
    work = matching.objective.pass_of(tf.constant(0), 0)
    comparison = GradientComparison(matching.gradients, angle_distance)
    found = comparison.summarize(work, real)
    for mine, expected in zip(found, golden.gradients("real"), strict=True):
        assert error(mine, expected) <= 1e-5
    empty = comparison.empty_summary(len(rows))
    assert [x.shape for x in empty] == [x.shape for x in found]


def test_the_wide_first_layer_can_be_differentiated_twice():
    """The published width takes the fused route of few channels, goldens do not."""
    network = build_network("convnet", (8, 8, 3), 4, 2, 54)
    shapes, rng = network.weight_shapes, np.random.default_rng(0)
    weights = [rng.normal(size=shape) * 0.3 for shape in shapes]
    for place in (1, 4):
        weights[place] += 1.0  # Scales of norms are about 1.
    images = rng.normal(size=(4, 8, 8, 3))
    wanted = [rng.normal(size=shape) for shape in shapes if len(shape) > 1]
    gradients = []
    for net, dtype in ((network, "float32"), (PlainNetwork(shapes), "float64")):
        cast = [tf.constant(w, dtype) for w in weights]
        x = tf.constant(images, dtype)
        with tf.GradientTape() as tape:
            tape.watch(x)
            made = WeightGradients(net).of(cast, x, 0.25, tf.constant([1, 1, 0, 3]))
            real = [tf.constant(w, dtype) for w in wanted]
            loss = total_distance(angle_distance, real, made)
        gradients.append(tape.gradient(loss, x).numpy())
    assert error(*gradients) <= 1e-4


def test_a_life_of_a_network_equals_golden():
    golden = Golden("dc", "iteration_")
    network = PlainNetwork([tuple(w.shape) for w in golden.weights("initial_")])
    gradients = WeightGradients(network)
    comparison = GradientComparison(gradients, angle_distance)
    schedule = InnerSchedule(
        int(golden["inner_loop"]), int(golden["batch"]), float(golden["lr_net"])
    )
    images = tf.Variable(golden["synthetic"], dtype=tf.float64)
    sgd = ImageSGD(images, float(golden["lr_img"]), float(golden["momentum"]))
    sgd.velocity.assign(golden["velocity"])
    weights, labels = golden.weights("initial_"), tf.range(3)
    for step, of_step in enumerate(golden["real"]):
        real = [
            gradients.of(weights, tf.constant(x, tf.float64), 0.25, tf.fill([4], label))
            for label, x in enumerate(of_step)
        ]
        real = [tf.stack(parts) for parts in zip(*real, strict=True)]
        with tf.GradientTape() as tape:
            batch = SyntheticBatch(tf.convert_to_tensor(images), labels)
            loss = comparison.loss(Pass(weights), real, batch)
        assert error(loss, golden["loss_per_class"][step]) <= 1e-9
        sgd.apply(tape.gradient(loss, images))
        assert error(images, golden["images"][step]) <= 1e-6
        if step < int(golden["outer_loop"]) - 1:
            training = GivenTraining(network, schedule, golden["order"][step])
            flat = tf.reshape(images, [-1, *images.shape[2:]])
            seen = (flat, tf.repeat(labels, 2), tf.constant([0, 0]))
            weights = training.train(weights, *seen)
    assert error(sgd.velocity, golden["final_velocity"]) <= 1e-9
    for found, expected in zip(weights, golden.weights("final_"), strict=True):
        assert error(found, expected) <= 1e-9


def rows(*columns):
    return tf.transpose(tf.constant(columns, tf.float32))


@pytest.mark.parametrize("radius", [0.01, 1.0, 10.0])
def test_the_geodesic_is_that_of_points_of_the_hyperboloid(radius):
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=(2, 5, 7))
    found, gradient = distance_and_gradient(geodesic_distance(radius), real, synthetic)
    first, second = (x / np.linalg.norm(x, axis=0) for x in (real, synthetic))
    cosine = np.sum(first * second, axis=0)
    inner = np.cosh(radius) ** 2 - np.sinh(radius) ** 2 * cosine
    np.testing.assert_allclose(found, np.sum(np.arccosh(inner)), rtol=1e-5)
    step = 1e-6 * rng.normal(size=synthetic.shape)
    ends = [
        distance_and_gradient(geodesic_distance(radius), real, synthetic + sign * step)
        for sign in (1, -1)
    ]
    assert (ends[0][0] - ends[1][0]) / 2 == pytest.approx(np.sum(gradient * step), 1e-4)


def test_radius_goes_from_chords_to_logarithms():
    # At right angles, 60 degrees and opposite.
    real = rows([1.0, 0.0], [2.0, 0.0], [3.0, 0.0])
    synthetic = rows([0.0, 5.0], [0.5, 0.75**0.5], [-1.0, 0.0])
    complement = np.array([1.0, 0.5, 2.0])
    small = geodesic_distance(1e-3)(real, synthetic) / 1e-3
    np.testing.assert_allclose(small, np.sqrt(2 * complement), rtol=1e-5)
    large = geodesic_distance(20.0)(real, synthetic)
    np.testing.assert_allclose(large - large[0], np.log(complement), atol=1e-4)
    half = geodesic_distance(2.0, -4.0, 3.0)(real, synthetic)
    np.testing.assert_allclose(half, 1.5 * geodesic_distance(2.0)(real, synthetic))


@pytest.mark.parametrize(
    "distance", [angle_distance, geodesic_distance(0.1), geodesic_distance(10.0)]
)
def test_gradients_are_finite_where_rows_are_zero_equal_or_tiny(distance):
    zero, one, tiny = [0.0, 0.0], [0.3, -0.4], [1e-25, 1e-25]
    real = rows(zero, zero, one, one, one, tiny)
    synthetic = rows(zero, one, zero, one, tiny, one)
    with tf.GradientTape() as tape:
        tape.watch(synthetic)
        distances = distance(real, synthetic)
    gradient = tape.gradient(distances, synthetic).numpy()
    assert np.isfinite(gradient).all() and np.isfinite(distances).all()
    np.testing.assert_array_equal(gradient[:, :2], 0)
    np.testing.assert_allclose(distances[:3], distances[4], rtol=1e-6)
    assert distances[3] < 0.5 * distances[4]


@pytest.mark.parametrize("norm", ["layer", "group"])
def test_norms_without_a_second_derivative_are_refused(norm):
    network = build_network("convnet", (8, 8, 1), 2, 1, 4, norm=norm)
    with pytest.raises(InputError, match="give --norm=instance, or none"):
        WeightGradients(network)


@pytest.mark.parametrize(("radius", "curvature"), [(0.0, -1.0), (81, -1.0), (1.0, 0)])
def test_radii_out_of_range_are_refused(radius, curvature):
    with pytest.raises(ValueError, match="must be above 0 and at most 80"):
        geodesic_distance(radius, curvature)


def test_a_network_lives_trains_between_updates_and_ends():
    network = build_network("convnet", (8, 8, 1), 3, 1, 4)
    values = np.random.default_rng(1).normal(size=(3, 2, 8, 8, 1))
    synthetic = SyntheticSet(values.astype(np.float32), Normalisation((0.5,), (0.2,)))
    training = InnerTraining(network, InnerSchedule(2, 4, 0.1))
    strategy = tf.distribute.get_strategy()
    objective = LivingNetwork(network, training, 3, strategy, seed=5)
    objective.attach(synthetic)
    # Its weights are all that a checkpoint has to hold.
    assert len(objective.variables) == len(network.weight_shapes)

    def weights_of(iteration):
        return [w.numpy() for w in objective.pass_of(tf.constant(iteration), 0).weights]

    flat = tf.reshape(synthetic.images, [6, 8, 8, 1])
    labels = tf.constant([0, 0, 1, 1, 2, 2])
    for iteration in (0, 1, 2, 3):
        objective.prepare(tf.constant(iteration))
        if iteration % 3 == 0:
            key = derive_key(5, Purpose.NETWORK, iteration // 3)
            expected = network.initial_weights(key)
        np.testing.assert_equal(weights_of(iteration), [w.numpy() for w in expected])
        objective.conclude(tf.constant(iteration))
        assert objective.kind_of(iteration) == (iteration != 2)
        if iteration != 2:
            key = derive_key(5, Purpose.INNER_TRAINING, iteration)
            expected = training.train(expected, flat, labels, key)
    assert not np.array_equal(expected[0], network.initial_weights(key)[0])


@pytest.mark.parametrize(("updates", "epochs"), [(1, 0), (1, 5), (2, 0)])
def test_networks_that_never_train(updates, epochs):
    network = build_network("convnet", (8, 8, 1), 3, 1, 4)
    training = InnerTraining(network, InnerSchedule(epochs)) if epochs else None
    strategy = tf.distribute.get_strategy()
    objective = LivingNetwork(network, training, updates, strategy, seed=5)
    assert not objective.kind_of(0)
    for iteration in map(tf.constant, range(3)):
        objective.prepare(iteration)
        found = objective.pass_of(iteration, 0).weights
        key = derive_key(5, Purpose.NETWORK, iteration // updates)
        np.testing.assert_array_equal(found[0], network.initial_weights(key)[0])
        objective.conclude(iteration)


@pytest.mark.parametrize(
    ("ipc", "updates", "epochs"),
    [(1, 1, 0), (2, 10, 50), (10, 10, 50), (21, 30, 20), (50, 50, 10), (100, 50, 10)],
)
def test_published_loops_by_images_per_class(ipc, updates, epochs):
    config = Config(dataset="x", objective="dsa", ipc=ipc)
    assert (config.dc_updates, config.dc_epochs) == (updates, epochs)
    given = Config(dataset="x", objective="dc", ipc=ipc, dc_updates=3, dc_epochs=4)
    assert (given.dc_updates, given.dc_epochs) == (3, 4)


@pytest.mark.parametrize(
    ("objective", "ipc", "epochs", "augmentations"),
    [("dc", 1, 301, 0), ("dsa", 1, 1001, 6), ("dcc", 1, 1001, 6)],
)
def test_evaluation_is_augmented_where_matching_is(
    objective, ipc, epochs, augmentations
):
    config = Config(dataset="x", objective=objective, ipc=ipc)
    protocol = evaluation_protocol(config, "cifar10")
    assert (protocol.epochs, protocol.batch_size) == (epochs, 256)
    assert len(protocol.augmentations) == augmentations
    plain = dataclasses.replace(config, dsa="none")
    if objective == "dcc":
        assert evaluation_protocol(plain, "cifar10").epochs == 301


def test_a_bank_is_refused_where_networks_train():
    Config(dataset="x", objective="dc", ipc=1, real_bank_size=3)
    with pytest.raises(InputError, match="leave it at 0, or give --dc_updates=1"):
        Config(dataset="x", objective="dsa", ipc=10, real_bank_size=3)
    with pytest.raises(InputError, match="leave it at 0, or give dm or dance or"):
        Config(dataset="x", objective="dcc", ipc=1, real_bank_size=3)
