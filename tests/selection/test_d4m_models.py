"""The embedded diffusion model: its networks, and how they train."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.random_keys import derive_key
from hdd_tf.selection.d4m import autoencoder, denoiser
from hdd_tf.selection.d4m.embedded import predictor_of
from hdd_tf.selection.d4m.latents import EncodedLatents, to_pixels, to_unit
from hdd_tf.selection.d4m.layers import Builder, GenerativeNetwork
from hdd_tf.selection.d4m.trainer import GenerativeTrainer

RNG = np.random.default_rng(0)


def test_pixels_survive():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    np.testing.assert_array_equal(to_pixels(to_unit(pixels).numpy()), pixels)
    assert to_pixels(np.array([-9.0, 9.0])).tolist() == [0, 255]


@pytest.fixture(scope="module")
def coder():
    """An autoencoder of images whose sides are no multiples of 4."""
    return autoencoder.build_autoencoder((18, 17, 1), 8)


def test_autoencoder_has_the_latents_and_weights_it_should():
    network = autoencoder.build_autoencoder((32, 32, 3), 64)
    # Worked out by hand from the layers: 1.8 million.
    assert network.weight_shapes == [(1_805_459,)]
    assert autoencoder.latent_shape((32, 32, 3)) == (8, 8, 8)
    assert autoencoder.latent_shape((18, 17, 1)) == (5, 5, 8)
    assert autoencoder.latent_shape((16, 16, 3)) == (16, 16, 3)


def test_both_parts_of_the_autoencoder_use_their_own_weights(coder):
    weights = coder.initial_weights(derive_key(0))
    # Blocks that start at zero would hide what lies in them.
    weights = [w + 0.05 * RNG.normal(size=w.shape).astype(np.float32) for w in weights]
    images = tf.constant(RNG.uniform(-1, 1, (2, 18, 17, 1)), tf.float32)
    noise = tf.constant(RNG.normal(size=(2, 5, 5, 8)), tf.float32)
    _, log_variance, found = coder.apply(weights, [images, noise])
    codes = autoencoder.encode(coder, weights, images)
    np.testing.assert_allclose(codes.deviation, np.exp(log_variance / 2), rtol=1e-5)
    drawn = codes.mean + codes.deviation * noise
    again = autoencoder.decode(coder, weights, drawn)
    assert again.shape == images.shape
    np.testing.assert_allclose(again, found, atol=1e-5)


def test_latents_have_unit_spread_in_any_blocks():
    images = RNG.integers(0, 256, (7, 18, 17, 1), np.uint8)

    def encode(block):
        mean = tf.repeat(tf.image.resize(block, [5, 5]), 8, axis=-1)
        return autoencoder.Codes(3.0 * mean, 0.5 * tf.ones_like(mean))

    rows = np.array([6, 0, 3])
    found = []
    for most in (2, 100):
        latents = EncodedLatents(images, encode, most)
        found.append(latents.sample(rows, derive_key(1)).numpy())
    np.testing.assert_allclose(*found, atol=1e-6)
    means = encode(to_unit(images)).mean.numpy()
    assert latents.scale == pytest.approx(means.std(), rel=1e-5)
    noise = tf.random.stateless_normal([3, 5, 5, 8], derive_key(1))
    expected = (means[rows] + 0.5 * noise) / latents.scale
    np.testing.assert_allclose(found[0], expected, atol=1e-5)


@pytest.fixture(scope="module")
def unet():
    return denoiser.build_denoiser((3, 5, 2), 4, 8)


def test_denoiser_has_the_weights_it_should():
    network = denoiser.build_denoiser((8, 8, 8), 10, 64)
    # Worked out by hand from the layers: 3.4 million.
    assert network.weight_shapes == [(3_439_816,)]
    assert [spec.shape for spec in network.state_specs] == [(3_439_816,)]


@pytest.mark.slow
def test_denoiser_sees_time_and_class_and_guidance_goes_to_the_class(unet):
    latents = tf.constant(RNG.normal(size=(1, 3, 5, 2)), tf.float32)
    start = unet.initial_weights(derive_key(0))
    moved = [w + 0.1 * RNG.normal(size=w.shape).astype(np.float32) for w in start]
    same = tf.repeat(latents, 4, axis=0)
    told = [same, tf.constant([1.0, 1.0, 501.0, 1.0]), tf.constant([0, 1, 0, 4])]
    found = unet.apply(moved, told).numpy()
    assert found.shape == (4, 3, 5, 2)
    for other in found[1:]:
        assert np.abs(other - found[0]).max() > 1e-3
    # Guidance goes from no class, number 4, to the class.
    predict = predictor_of(unet, moved, 4, 3.0)
    guided = predict(same[:1], tf.constant(1.0), tf.constant([1])).numpy()[0]
    np.testing.assert_allclose(guided, found[3] + 3 * (found[1] - found[3]), atol=1e-4)


def test_a_denoiser_starts_by_seeing_nothing(unet):
    weights = unet.initial_weights(derive_key(0))
    latents, labels = tf.ones([64, 3, 5, 2]), tf.zeros([64], tf.int32)
    loss = denoiser.loss(unet, weights, latents, labels, 4, derive_key(2))
    assert 0.9 < float(loss) < 1.1


class Line:
    """Training of a line through points: its network has 2 layers of few weights."""

    def __init__(self, updates=6, clip_norm=None, batch=3):
        inputs = keras.Input((2,))
        build = Builder("line")
        outputs = build.dense(build.dense(inputs, 2), 1, bias=False)
        self.network = GenerativeNetwork(keras.Model(inputs, outputs), averaged=True)
        self.points = RNG_POINTS
        self.rates = np.linspace(0.1, 0.05, updates)
        protocol = TrainingProtocol(
            updates, batch, 0.1, weight_decay=0.0, optimiser="adamw"
        )
        self.trainer = GenerativeTrainer(
            self.network, self.loss, 7, protocol, self.rates, 2, clip_norm
        )

    def loss(self, weights, rows, key):
        points = tf.gather(self.points, rows)
        noise = tf.random.stateless_normal([rows.shape[0], 1], key)
        found = self.network.apply(weights, points[:, :2])
        return tf.reduce_mean((found - points[:, 2:] - noise) ** 2)


RNG_POINTS = tf.constant(RNG.normal(size=(7, 3)), tf.float32)


def test_a_training_that_was_stopped_goes_on_to_the_bit():
    whole, stopped = Line(), Line()
    epochs = []
    whole.trainer.train(derive_key(5), epochs.append)
    assert sum(epochs) == 3

    class Stop(Exception):
        pass

    def stop():
        raise Stop

    with pytest.raises(Stop):
        stopped.trainer.train(derive_key(5), on_call=stop)
    state = stopped.trainer.snapshot()
    assert state.updates == 1  # The first call into the graph is of one update.
    again = Line()
    again.trainer.train(derive_key(5), resume=state)
    found, expected = again.trainer.snapshot(), whole.trainer.snapshot()
    assert found.updates == expected.updates == 6
    for name in ("weights", "slots", "state"):
        pairs = zip(getattr(found, name), getattr(expected, name), strict=True)
        for mine, theirs in pairs:
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("clip_norm", [None, 0.01])
def test_updates_are_adams_and_averages_follow(clip_norm):
    line = Line(clip_norm=clip_norm, batch=7)
    line.trainer.train(derive_key(3))
    found = line.trainer.snapshot()
    key = derive_key(derive_key(3), 4)  # Purpose.EVALUATION_NETWORK
    weight = line.network.initial_weights(key)[0].numpy().astype(np.float64)
    average, first, second = weight.copy(), 0.0, 0.0
    for step, rate in enumerate(line.rates):
        with tf.GradientTape() as tape:
            vector = tf.constant(weight, tf.float32)
            tape.watch(vector)
            # A batch of all: its order is its permutation in each pass.
            order = tf.random.experimental.stateless_shuffle(
                tf.range(7), derive_key(derive_key(3), 5, step)
            )
            loss = line.loss([vector], order, derive_key(derive_key(3), 50, step))
        gradient = tape.gradient(loss, vector).numpy().astype(np.float64)
        if clip_norm:
            gradient *= min(1.0, clip_norm / np.linalg.norm(gradient))
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        first_hat = first / (1 - 0.9 ** (step + 1))
        second_hat = second / (1 - 0.999 ** (step + 1))
        weight = weight - rate * first_hat / (np.sqrt(second_hat) + 1e-8)
        memory = min(0.999, (1 + step) / (10 + step))
        average = memory * average + (1 - memory) * weight
    np.testing.assert_allclose(found.weights[0], weight, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.state[0], average, rtol=1e-3, atol=1e-4)
