"""Batches in chunks: the same values, and gradients, as those of whole batches."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.networks import chunks
from hdd_tf.networks.chunks import chunk_of, in_chunks, mean_gradient
from hdd_tf.networks.registry import build_network
from hdd_tf.random_keys import derive_key

IMAGES = tf.random.stateless_normal([11, 16, 16, 3], [1, 2])
LABELS = tf.range(11) % 5


@pytest.fixture(scope="module")
def network():
    return build_network("convnet", (16, 16, 3), 5, 2, 16)


@pytest.fixture(scope="module")
def weights(network):
    return network.initial_weights(derive_key(3))


@pytest.mark.parametrize("most", [1, 3, 4, 10, 11, 99, None])
def test_values_are_the_same_bits(network, weights, most):
    def features(images):
        return network.features(weights, images)

    found = tf.function(lambda: in_chunks(features, IMAGES, most))()
    np.testing.assert_array_equal(found, tf.function(features)(IMAGES))


def test_no_call_has_more_images():
    seen = []

    def count(images):
        seen.append(images.shape[0])
        return tf.reduce_sum(images, [1, 2, 3])

    tf.function(lambda: in_chunks(count, IMAGES, 4))()
    assert set(seen) == {4}


@pytest.mark.parametrize("most", [1, 3, 4, 10])
def test_gradients_are_those_of_the_whole_batch(network, weights, most):
    unused = tf.constant([1.0, 2.0])

    def losses_of(part):
        logits = network.logits(weights, part["images"])
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(part["labels"], logits)
        return losses, logits

    batch = {"images": IMAGES, "labels": LABELS}
    run = tf.function(
        lambda: tf.nest.flatten(
            mean_gradient(losses_of, batch, [*weights, unused], most)
        )
    )
    whole = mean_gradient(losses_of, batch, [*weights, unused], None)
    for found, expected in zip(run(), tf.nest.flatten(whole), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(whole[2][-1], [0.0, 0.0])


def test_a_chunk_holds_as_many_images_as_the_cache(network, monkeypatch):
    assert chunk_of(2**20) == chunks.MAP_BYTES // 2**20
    assert chunk_of(2**40) >= 1
    assert network.chunk == chunks.MAP_BYTES // (16 * 16 * 16 * 4)
    # Images of a batch depend on each other.
    assert build_network("convnet_batch", (16, 16, 3), 5, 2, 16).chunk is None
    monkeypatch.setattr(
        chunks.tf.config, "list_logical_devices", lambda kind: ["a GPU"]
    )
    assert chunk_of(2**20) is None
