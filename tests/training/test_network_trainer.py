"""Training in the graph against a plain loop, and what a score is."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.data.dataset import LabelledImages
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.evaluation.scorers.scoring import Score, score_networks
from hdd_tf.networks.registry import build_network
from hdd_tf.protocols.published import TrainingProtocol, dm_protocol
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.training.network_trainer import NetworkTrainer

NORMALISATION = Normalisation((0.5,), (0.25,))


@pytest.fixture(scope="module")
def blobs():
    """Two classes that differ in which half is bright: easy, not trivial."""
    rng = np.random.default_rng(0)
    labels = np.arange(50) % 2
    images = rng.integers(0, 120, (50, 8, 8, 1))
    images[labels == 0, :4] += 100
    images[labels == 1, 4:] += 100
    return LabelledImages(images.astype(np.uint8), labels)


@pytest.fixture(scope="module")
def network():
    return build_network("convnet", (8, 8, 1), 2, depth=2, width=8)


def plain_training(network, data, protocol, key):
    """The protocol as a loop of eager TensorFlow, one Python step per batch."""
    images = (data.images.astype(np.float32) / 255 - 0.5) / 0.25
    weights = network.initial_weights(derive_key(key, Purpose.EVALUATION_NETWORK))
    velocities = [tf.zeros_like(w) for w in weights]
    rate = protocol.learning_rate
    for epoch in range(protocol.epochs):
        if epoch in protocol.drop_epochs:
            rate *= protocol.drop_factor
            velocities = [tf.zeros_like(w) for w in weights]
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(images)), derive_key(key, Purpose.EVALUATION_ORDER, epoch)
        ).numpy()
        for first in range(0, len(images), protocol.batch_size):
            rows = order[first : first + protocol.batch_size]
            with tf.GradientTape() as tape:
                tape.watch(weights)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                    data.labels[rows], network.logits(weights, images[rows])
                )
                loss = tf.reduce_mean(losses)
            gradients = tape.gradient(loss, weights)
            velocities = [
                protocol.momentum * v + g + protocol.weight_decay * w
                for v, g, w in zip(velocities, gradients, weights, strict=True)
            ]
            weights = [w - rate * v for w, v in zip(weights, velocities, strict=True)]
    return weights, float(loss)


def test_training_in_the_graph_equals_the_plain_loop(blobs, network):
    # 50 images in batches of 20: a smaller last batch; the rate drops after epoch 3.
    protocol = TrainingProtocol(epochs=5, batch_size=20, drop_epochs=(3,))
    trainer = NetworkTrainer(
        network, blobs.images, blobs.labels, NORMALISATION, protocol
    )
    key = derive_key(4)
    epochs = []
    trainer.train(key, epochs.append)
    expected, _ = plain_training(network, blobs, protocol, key)
    assert sum(epochs) == 5
    for mine, theirs in zip(trainer.weights, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_networks_learn_and_nothing_is_traced_twice(blobs, network):
    protocol = dm_protocol(40, 256, 0.05, "color_crop_cutout_flip_scale_rotate")
    trainer = NetworkTrainer(
        network, blobs.images, blobs.labels, NORMALISATION, protocol
    )
    untrained = trainer.accuracy(blobs.images, blobs.labels)
    losses = [trainer.train(derive_key(seed)) for seed in (0, 1)]
    assert trainer.accuracy(blobs.images, blobs.labels) > max(untrained, 90)
    assert trainer.trace_count == 1
    assert losses[0] != losses[1]
    assert trainer.train(derive_key(0)) == losses[0]


def test_accuracy_counts_every_image_once(blobs, network):
    # 50 images in batches of 20; a network of zeros says class 0 for all.
    protocol = TrainingProtocol(epochs=1, batch_size=20)
    trainer = NetworkTrainer(
        network, blobs.images, blobs.labels, NORMALISATION, protocol
    )
    some = blobs.labels.copy()
    some[:7] = 0
    assert trainer.accuracy(blobs.images, some) == pytest.approx(
        100 * np.mean(some == 0)
    )


@pytest.mark.parametrize("epochs, drop", [(1001, 502), (300, 151), (1, 2)])
def test_dm_protocol_drops_the_rate_past_the_middle(epochs, drop):
    # The released program: 1,001 epochs, a tenth of the rate after the 502nd.
    protocol = dm_protocol(epochs, 256, 0.01, "none")
    assert protocol.drop_epochs == (drop,)
    assert (protocol.momentum, protocol.weight_decay) == (0.9, 5e-4)
    assert protocol.reset_velocity and protocol.augmentations == ()


def test_score_is_a_pure_function_of_the_seed(blobs, network):
    # Labels at random, so that accuracies tell networks apart.
    labels = np.random.default_rng(0).integers(0, 2, 50)
    guess = LabelledImages(blobs.images[::-1], labels)
    protocol = TrainingProtocol(epochs=1, batch_size=20)
    trainer = NetworkTrainer(network, blobs.images, labels, NORMALISATION, protocol)
    first, again, other = (score_networks(trainer, guess, 3, s, 2) for s in (1, 1, 2))
    assert first.values == again.values and len(first.values) == 3
    assert first.values != other.values
    assert first.images == 50


def test_classes_are_counted_in_the_pass_that_scores(blobs, network):
    protocol = TrainingProtocol(epochs=1, batch_size=20)
    labels = np.random.default_rng(0).integers(0, 2, 50)
    trainer = NetworkTrainer(network, blobs.images, labels, NORMALISATION, protocol)
    seen = []
    score = score_networks(
        trainer,
        LabelledImages(blobs.images, labels),
        *(2, 1, 3),
        on_tested=lambda *_: seen.append(trainer.predictions(blobs.images)),
    )
    taken = np.array(seen)
    entry = score.to_json()
    # The third class has no image, so there is nothing to be a percentage of.
    assert entry["per_class"][2] is None and entry["confusion"][2] is None
    for true in (0, 1):
        rows = taken[:, labels == true]
        expected = [100 * np.mean(rows == said) for said in range(3)]
        assert entry["confusion"][true] == pytest.approx(expected, abs=0.005)
        assert entry["per_class"][true] == pytest.approx(expected[true], abs=5e-5)
    assert score.mean == pytest.approx(100 * np.mean(taken == labels))


def test_other_images_train_other_networks_in_the_same_trace(blobs, network):
    protocol = TrainingProtocol(epochs=1, batch_size=20)
    trainer = NetworkTrainer(
        network, blobs.images, blobs.labels, NORMALISATION, protocol
    )
    first = trainer.train(derive_key(0))
    trainer.replace_images(255 - blobs.images, 1 - blobs.labels)
    other = trainer.train(derive_key(0))
    fresh = NetworkTrainer(
        network, 255 - blobs.images, 1 - blobs.labels, NORMALISATION, protocol
    )
    assert other == fresh.train(derive_key(0)) != first
    assert trainer.trace_count == 1


def test_score_has_the_population_standard_deviation():
    score = Score((1.0, 3.0), images=2, seconds=0.5)
    assert (score.mean, score.std) == (2.0, 1.0)
    assert score.to_json()["values"] == [1.0, 3.0]
