"""G-VBSM: statistics, their averages, densification, six iterations of a group.

tests/golden/gvbsm.npz comes from the authors' program (at 1ed80b0), in float64.
"""

import math
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.layer_inputs import LayerInputs, Place
from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.registry import build_with_options
from hdd_tf.objectives.gvbsm.densification import densification, rows_of_classes
from hdd_tf.objectives.gvbsm.group_loss import (
    Draws,
    GroupImages,
    GroupLoss,
    Weights,
)
from hdd_tf.objectives.gvbsm.image_adam import ImageAdam
from hdd_tf.objectives.gvbsm.moving_match import MovingMatch
from hdd_tf.objectives.gvbsm.statistics import StatisticsLayout

PATH = pathlib.Path(__file__).parents[1] / "golden" / "gvbsm.npz"
SHAPE, CLASSES = (32, 32, 3), 3
MEAN, STD = np.float32([0.5071, 0.4867, 0.4408]), np.float32([0.2675, 0.2565, 0.2761])
STATISTICS = ("channel_mean", "channel_variance", "patch_mean", "patch_variance")
WEIGHTS = Weights(0.01, 1.0, 4.0, 0.8, 10.0, 0.4)


@pytest.fixture(scope="module")
def golden():
    with np.load(PATH, allow_pickle=False) as file:
        return dict(file)


def assert_near(found, expected, part):
    error = np.abs(np.asarray(found) - expected).max()
    assert error <= part * np.abs(expected).max()


def with_batch_norm():
    """The program's ConvNet, whose convolutions have biases before the norm."""
    inputs = maps = keras.Input(SHAPE)
    for _ in range(3):
        maps = keras.layers.Conv2D(8, 3, padding="same")(maps)
        maps = keras.layers.BatchNormalization(epsilon=1e-5)(maps)
        maps = keras.layers.AveragePooling2D(2)(keras.layers.ReLU()(maps))
    logits = keras.layers.Dense(CLASSES)(keras.layers.Flatten()(maps))
    return FunctionalNetwork(keras.Model(inputs, logits))


class Member:
    """One of the golden's two networks, as `net{number}`."""

    def __init__(self, golden, number):
        self.prefix, self.has_norm = f"net{number}", number == 0
        network = with_batch_norm()
        if not self.has_norm:
            network = build_with_options(
                "convnet", SHAPE, CLASSES, NetworkOptions(3, 8)
            )
        self.inputs = LayerInputs(network)
        self.loss = GroupLoss(self.inputs, WEIGHTS, True, 32)
        self.weights, self.state = [], []
        for block in range(3):
            names = [f"conv{block}_kernel", f"norm{block}_gamma", f"norm{block}_beta"]
            if self.has_norm:
                names.insert(1, f"conv{block}_bias")
                self.state += self.of(
                    golden, f"norm{block}_mean", f"norm{block}_variance"
                )
            self.weights += self.of(golden, *names)
        kernel, bias = self.of(golden, "classifier_kernel_hwc", "classifier_bias")
        self.weights += [tf.reshape(kernel, [-1, CLASSES]), bias]

    def of(self, golden, *names):
        return [tf.constant(golden[f"{self.prefix}_{n}"], tf.float32) for n in names]

    def vector(self, golden, kind):
        """The real values, or the averages, as one vector; never looked at is 0."""
        found = []
        for block in range(3):
            for name in STATISTICS:
                real = golden[f"{self.prefix}_conv{block}_real_{name}"]
                own = golden[f"{self.prefix}_conv{block}_{kind}_{name}"]
                found.append(own if own.size else np.zeros_like(real))
            if self.has_norm:
                infix = "" if kind == "real" else f"{kind}_"
                for name in ("mean", "variance"):
                    found.append(golden[f"{self.prefix}_norm{block}_{infix}{name}"])
        return np.concatenate(found)


@pytest.fixture(scope="module")
def members(golden):
    return [Member(golden, number) for number in (0, 1)]


@pytest.mark.parametrize("dtype", [tf.float64, tf.float32])
@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("is_norm", [False, True])
def test_three_looks_at_a_map_are_the_programs(golden, number, is_norm, dtype):
    name = f"map{number}"
    tolerance = 1e-7 if dtype == tf.float64 else 1e-5
    of_real = tf.constant(golden[f"{name}_real"], dtype)
    place = Place(tuple(of_real.shape[1:]), moving=(0, 1) if is_norm else None)
    layout = StatisticsLayout([place])
    infix = "_norm" if is_norm else ""
    kinds = ("norm_mean", "norm_variance") if is_norm else STATISTICS
    expected = np.concatenate([golden[f"{name}_{kind}"] for kind in kinds])
    if not is_norm:
        np.testing.assert_allclose(layout.measure([of_real]), expected, atol=1e-6)
    match = MovingMatch(layout, float(golden["map_momentum"]), 1.0, 0.4)
    averages, real = tf.zeros([layout.size], dtype), tf.constant(expected, dtype)
    for look in range(3):
        maps = tf.constant(golden[f"{name}_looks"][look], dtype)
        with tf.GradientTape() as tape:
            tape.watch(maps)
            found = layout.measure([maps])
            losses, averages = match.losses(real, averages, found, tf.constant([True]))
        assert_near(losses[0], golden[f"{name}{infix}_losses"][look], tolerance)
        gradient = golden[f"{name}{infix}_gradients"][look]
        assert_near(tape.gradient(losses, maps), gradient, tolerance)


def test_where_nothing_differs_the_gradient_is_zero_and_skips_change_nothing():
    layout = StatisticsLayout([Place((4, 4, 2))])
    match = MovingMatch(layout, 0.0, 10.0, 0.4)
    maps = tf.random.stateless_normal([3, 4, 4, 2], [1, 2])
    for looks in (True, False):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            found = layout.measure([maps])
            # Without memory the average is the statistic itself.
            real = tf.stop_gradient(found) + (0.0 if looks else 1.0)
            before = tf.fill([layout.size], 7.0)
            losses, after = match.losses(real, before, found, tf.constant([looks]))
        np.testing.assert_array_equal(losses, [0.0])
        np.testing.assert_array_equal(tape.gradient(losses, maps), tf.zeros_like(maps))
        np.testing.assert_array_equal(after, found if looks else before)


def test_convolutions_are_left_out_as_often_as_the_settings_say():
    places = [Place((4, 4, 2), moving=(0, 1) if i % 2 else None) for i in range(4)]
    match = MovingMatch(StatisticsLayout(places), 0.8, 10.0, 0.4)
    keys = tf.stack([tf.range(2000), tf.range(2000)], axis=1)
    looks = tf.vectorized_map(match.draw_looks, keys).numpy()
    shares = looks.mean(axis=0)
    np.testing.assert_array_equal(shares[1::2], 1.0)
    np.testing.assert_allclose(shares[::2], 0.6, atol=0.04)


@pytest.mark.parametrize("dtype", [tf.float64, tf.float32])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_densification_is_the_programs(golden, number, dtype):
    images = tf.constant(golden[f"dens{number}_images"], dtype)
    own = rows_of_classes(golden[f"dens{number}_labels"])
    with tf.GradientTape() as tape:
        tape.watch(images)
        loss = densification(
            images, tf.constant(own.rows), tf.constant(own.counts),
            float(golden[f"dens{number}_tau"]),
        )  # fmt: skip
    np.testing.assert_allclose(loss, golden[f"dens{number}_loss"], rtol=1e-6)
    expected = golden[f"dens{number}_gradient"]
    assert_near(tape.gradient(loss, images), expected, 1e-5)


def test_densification_of_equal_images_has_a_finite_gradient():
    images = tf.ones([4, 6])
    with tf.GradientTape() as tape:
        tape.watch(images)
        loss = densification(images, tf.range(4)[None], tf.constant([4]), 4.0)
    assert np.isfinite(tape.gradient(loss, images)).all()


def test_real_statistics_are_means_of_those_of_batches(golden, members):
    images = (golden["real_uint8"].astype(np.float32) / 255 - MEAN) / STD
    ends = np.cumsum(golden["batches"])
    for member in members:
        total = np.zeros(member.loss.layout.size)
        for end, count in zip(ends, golden["batches"], strict=True):
            part = tf.constant(images[end - count : end])
            maps = member.inputs(member.weights, part, member.state).maps
            total += count / len(images) * member.loss.layout.measure(maps).numpy()
        found = member.loss.layout.with_moving(
            tf.constant(total, tf.float32), member.state
        )
        np.testing.assert_allclose(found, member.vector(golden, "real"), atol=1e-5)


def test_six_iterations_are_the_programs(golden, members):
    labels = golden["targets"].astype(np.int32)
    own = rows_of_classes(labels)
    images = tf.Variable(golden["images_initial"])
    adam = ImageAdam(images, (0.5, 0.9))
    real = [tf.constant(m.vector(golden, "real"), tf.float32) for m in members]
    averages = [tf.zeros_like(r) for r in real]
    for step in range(6):
        number = int(golden["step_network"][step])
        member = members[number]
        looks = ~golden["step_dropped"][step]
        if member.has_norm:
            looks = np.stack([looks, np.ones(3, bool)], axis=1).ravel()
        draws = Draws(
            *(tf.constant(golden[f"step_{name}"][step]) for name in ("crop", "flip")),
            tf.constant(golden["step_roll"][step]),
            tf.constant(looks),
        )
        with tf.GradientTape() as tape:
            now = tf.convert_to_tensor(images)
            tape.watch(now)
            group = GroupImages(
                now, tf.constant(labels), tf.constant(own.rows), tf.constant(own.counts)
            )
            found = member.loss(
                group, draws, member.weights, member.state, real[number],
                averages[number],
            )  # fmt: skip
        averages[number] = found.averages
        gradient = tape.gradient(found.total, now)
        places = np.zeros(6)
        places[: len(found.places)] = found.places
        places[0] /= WEIGHTS.first
        np.testing.assert_allclose(
            places, golden["step_statistics"][step], rtol=1e-5, atol=1e-7
        )
        for value, name in (
            (tf.reduce_mean(found.cross_entropies), "cross_entropy"),
            (found.total, "total"),
        ):
            np.testing.assert_allclose(value, golden[f"step_{name}"][step], rtol=1e-5)
        dense = golden["step_densification"][step]
        np.testing.assert_allclose(found.densification, dense, rtol=1e-4, atol=1e-6)
        rate = 0.05 * (1 + math.cos(math.pi * step / 4000)) / 2
        limits = (-MEAN / STD, (1 - MEAN) / STD)
        adam.apply(gradient, tf.constant(rate), tf.constant(step), limits)
        if step in (0, 5):
            assert_near(gradient, golden[f"gradient_{step}"], 5e-4)
            apart = np.abs(images - golden[f"images_after_{step}"])
            assert np.mean(apart < 1e-3) >= 0.999
    for member, found in zip(members, averages, strict=True):
        expected = member.vector(golden, "average")
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_draws_of_a_group_take_all_values_and_no_others(members):
    loss = GroupLoss(members[1].inputs, WEIGHTS, True, 3)
    keys = tf.stack([tf.range(1500), tf.range(1500)], axis=1)
    draws = tf.vectorized_map(loss.draw, keys)
    for drawn, most in ((draws.window, 8), (draws.roll, 3)):
        counts = [np.bincount(axis, minlength=most + 1) for axis in drawn.numpy().T]
        np.testing.assert_allclose(
            counts, 1500 / (most + 1), rtol=0.35, err_msg=str(most)
        )
    assert draws.flip.numpy().mean() == pytest.approx(0.5, abs=0.05)
    assert not GroupLoss(members[1].inputs, WEIGHTS, False, 0).draw(keys[0]).flip
