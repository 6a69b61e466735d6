"""Forgetting events against a hand-made sequence and a plain loop; features."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.data.normalisation import Normalisation
from hdd_tf.networks.registry import build_network
from hdd_tf.protocols.published import TrainingProtocol
from hdd_tf.protocols.sgd import sgd_step
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.training.network_trainer import NetworkTrainer
from hdd_tf.training.recording_trainer import NEVER_LEARNT, RecordingTrainer

NORMALISATION = Normalisation((0.5,), (0.25,))
# 50 images in batches of 20: the last batch is smaller. The rate is high enough for
# images to be forgotten.
PROTOCOL = TrainingProtocol(epochs=8, batch_size=20, learning_rate=0.1)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1)).astype(np.uint8)


@pytest.fixture(scope="module")
def labels():
    return np.random.default_rng(1).integers(0, 3, 50)


@pytest.fixture(scope="module")
def network():
    return build_network("convnet", (8, 8, 1), 3, depth=2, width=8)


@pytest.fixture(scope="module")
def trained(network, images, labels):
    trainer = RecordingTrainer(network, images, labels, NORMALISATION, PROTOCOL)
    trainer.train(derive_key(4))
    return trainer


def test_a_sequence_counted_by_hand(network, images, labels):
    # One column an image, one row a presentation: 1 right, 0 wrong.
    presentations = np.array(
        [
            [1, 0, 0, 1, 0],
            [1, 1, 0, 0, 0],
            [1, 0, 0, 1, 0],
            [1, 1, 0, 0, 1],
            [1, 0, 0, 0, 1],
        ]
    )
    trainer = RecordingTrainer(network, images[:5], labels[:5], NORMALISATION, PROTOCOL)
    truth = tf.constant(labels[:5], tf.int32)
    for right in presentations:
        said = np.where(right, labels[:5], (labels[:5] + 1) % 3)
        order = np.array([3, 0, 4, 1, 2])
        for rows in (order[:3], order[3:]):
            trainer._observe(
                tf.constant(rows, tf.int32),
                tf.gather(truth, rows),
                tf.one_hot(said[rows], 3),
            )
    # Never wrong; forgotten twice; never right; twice (wrong again is no new event);
    # learnt late.
    assert trainer.forgetting_counts().tolist() == [0, 2, NEVER_LEARNT, 2, 0]


def test_counts_are_those_of_a_plain_loop(network, images, labels, trained):
    key = derive_key(4)
    inputs = (images.astype(np.float32) / 255 - 0.5) / 0.25
    weights = network.initial_weights(derive_key(key, Purpose.EVALUATION_NETWORK))
    velocities = [tf.zeros_like(w) for w in weights]
    right = np.zeros((PROTOCOL.epochs, 50), bool)
    for epoch in range(PROTOCOL.epochs):
        order = tf.random.experimental.stateless_shuffle(
            tf.range(50), derive_key(key, Purpose.EVALUATION_ORDER, epoch)
        ).numpy()
        for first in range(0, 50, 20):
            rows = order[first : first + 20]
            with tf.GradientTape() as tape:
                tape.watch(weights)
                logits = network.logits(weights, inputs[rows])
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                    labels[rows], logits
                )
                loss = tf.reduce_mean(losses)
            right[epoch, rows] = np.argmax(logits, -1) == labels[rows]
            updates = [
                sgd_step(w, v, g, 0.1, 0.9, 5e-4)
                for w, v, g in zip(
                    weights, velocities, tape.gradient(loss, weights), strict=True
                )
            ]
            weights, velocities = map(list, zip(*updates, strict=True))
    expected = [
        sum(a and not b for a, b in itertools.pairwise(image))
        if any(image)
        else NEVER_LEARNT
        for image in right.T
    ]
    assert len(set(expected)) > 2  # Or the test would show little.
    assert trained.forgetting_counts().tolist() == expected


def test_recording_changes_no_training_and_starts_anew(
    network, images, labels, trained
):
    plain = NetworkTrainer(network, images, labels, NORMALISATION, PROTOCOL)
    plain.train(derive_key(4))
    for mine, theirs in zip(trained.weights, plain.weights, strict=True):
        # Not bit for bit: logits used twice are fused otherwise.
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
    counts = trained.forgetting_counts()
    trained.train(derive_key(4))
    np.testing.assert_array_equal(trained.forgetting_counts(), counts)
    assert trained.trace_count == 1


def test_features_are_the_trained_networks(network, images, trained):
    rows = np.arange(49, 4, -1)
    inputs = tf.constant((images[rows].astype(np.float32) / 255 - 0.5) / 0.25)
    expected = network.features([tf.constant(w) for w in trained.weights], inputs)
    features = trained.features(rows)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, expected, atol=1e-5)
