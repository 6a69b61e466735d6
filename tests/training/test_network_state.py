"""Training networks that have state: batch norm's statistics, dropout's generators."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.data.normalisation import Normalisation
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.registry import build_network
from hdd_tf.protocols.published import TrainingProtocol
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.training.network_trainer import NetworkTrainer

NORMALISATION = Normalisation((0.5,), (0.25,))
PROTOCOL = TrainingProtocol(epochs=3, batch_size=12)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 8, 8, 1)).astype(np.uint8)
    return images, np.arange(12) % 3


def trainer_of(network, data, protocol=PROTOCOL):
    return NetworkTrainer(network, *data, NORMALISATION, protocol)


def eager_keras_training(model, network, data, key, steps):
    """Three steps of Keras' own stateful model on the whole set; returns its values."""
    images = (data[0].astype(np.float32) / 255 - 0.5) / 0.25
    weights = network.initial_weights(derive_key(key, Purpose.EVALUATION_NETWORK))
    for variable, value in zip(model.trainable_variables, weights, strict=True):
        variable.assign(value)
    velocities = [np.zeros(v.shape) for v in model.trainable_variables]
    for _ in range(steps):
        with tf.GradientTape() as tape:
            logits = model(images, training=True)["logits"]
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(
                data[1], logits
            )
        values = [v.value for v in model.trainable_variables]
        gradients = tape.gradient(loss, values)
        for index, variable in enumerate(model.trainable_variables):
            velocities[index] = (
                0.9 * velocities[index] + gradients[index] + 5e-4 * variable.value
            )
            variable.assign(variable.value - 0.01 * velocities[index])
    return images


def test_batch_norm_trains_as_in_an_eager_keras_loop(data):
    network, twin = (
        build_network("convnet_batch", (8, 8, 1), 3, depth=2, width=4) for _ in "ab"
    )
    trainer = trainer_of(network, data)
    trainer.train(derive_key(5))
    model = twin.model
    images = eager_keras_training(model, network, data, derive_key(5), 3)
    for mine, theirs in zip(trainer.weights, model.trainable_variables, strict=True):
        np.testing.assert_allclose(mine, theirs.value, atol=1e-5)
    assert len(trainer.state) == 4
    for mine, theirs in zip(trainer.state, model.non_trainable_variables, strict=True):
        np.testing.assert_allclose(mine, theirs.value, atol=1e-5)
    # In testing the moving statistics count, and stay.
    before = [variable.numpy() for variable in trainer.state]
    hits = np.argmax(model(images, training=False)["logits"], -1) == data[1]
    assert trainer.accuracy(*data) == pytest.approx(100 * hits.mean())
    for mine, value in zip(trainer.state, before, strict=True):
        np.testing.assert_array_equal(mine, value)


def test_one_step_moves_the_statistics_by_a_tenth(data):
    network = build_network("convnet_batch", (8, 8, 1), 3, depth=1, width=4)
    protocol = TrainingProtocol(epochs=1, batch_size=12)
    trainer = trainer_of(network, data, protocol)
    trainer.train(derive_key(2))
    key = derive_key(derive_key(2), Purpose.EVALUATION_NETWORK)
    kernel = network.initial_weights(key)[0]
    images = (data[0].astype(np.float32) / 255 - 0.5) / 0.25
    maps = tf.nn.conv2d(images, kernel, 1, "SAME").numpy()
    mean, variance = trainer.state
    np.testing.assert_allclose(mean, 0.1 * maps.mean((0, 1, 2)), atol=1e-6)
    np.testing.assert_allclose(variance, 0.9 + 0.1 * maps.var((0, 1, 2)), atol=1e-6)


def with_dropout(rate):
    inputs = keras.Input((8, 8, 1))
    features = keras.layers.Flatten()(inputs)
    features = keras.layers.Dropout(rate)(features)
    return FunctionalNetwork(keras.Model(inputs, keras.layers.Dense(3)(features)))


def test_dropout_is_drawn_in_training_and_off_in_testing(data):
    protocol = TrainingProtocol(epochs=4, batch_size=5, learning_rate=0.1)
    dropped, whole = (
        trainer_of(with_dropout(rate), data, protocol) for rate in (0.5, 0.0)
    )
    losses = [dropped.train(derive_key(seed)) for seed in (0, 1, 0)]
    assert losses[0] == losses[2] != losses[1]
    assert whole.train(derive_key(0)) != losses[0]
    assert dropped.accuracy(*data) == dropped.accuracy(*data)
    assert dropped.trace_count == 1
    # 3 updates an epoch, each another mask: the generator moved 12 times.
    (generator,) = dropped.state
    key = derive_key(derive_key(0), Purpose.EVALUATION_NETWORK)
    (start,) = with_dropout(0.5).initial_variables(key)[1]
    assert not np.array_equal(generator, start)


def test_no_state_of_one_network_reaches_the_next(data):
    network = build_network("convnet_batch", (8, 8, 1), 3, depth=2, width=4)
    trainer = trainer_of(network, data)
    trainer.train(derive_key(0))
    alone = [variable.numpy() for variable in trainer.state]
    trainer.train(derive_key(1))
    assert not np.array_equal(trainer.state[0], alone[0])
    trainer.train(derive_key(0))
    for variable, value in zip(trainer.state, alone, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert trainer.trace_count == 1


def test_start_of_state_is_known_and_seeded():
    model = with_dropout(0.5).model
    network = FunctionalNetwork(model)
    first, again, other = (
        network.initial_variables(derive_key(seed))[1][0] for seed in (0, 0, 1)
    )
    assert first.dtype == network.state_specs[0].dtype
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    batch = build_network("convnet_batch", (8, 8, 1), 3, depth=1, width=4)
    mean, variance = batch.initial_variables(derive_key(0))[1]
    assert (mean.numpy() == 0).all() and (variance.numpy() == 1).all()


def test_features_of_a_network_with_state_are_refused(data):
    network = build_network("convnet_batch", (8, 8, 1), 3, depth=1, width=4)
    weights = network.initial_weights(derive_key(0))
    with pytest.raises(ValueError, match="non_trainable_variables"):
        network.features(weights, tf.zeros([2, 8, 8, 1]))


def test_a_variable_without_a_rule_is_refused():
    model = keras.Sequential(
        [keras.layers.Input((4,)), keras.layers.Rescaling(1.0), keras.layers.PReLU()]
    )
    with pytest.raises(ValueError, match="No initialisation is known"):
        FunctionalNetwork(model)
