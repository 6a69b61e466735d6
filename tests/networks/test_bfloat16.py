"""Networks whose convolutions are bfloat16, beside the same in float32."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.networks.registry import NETWORKS, build_network
from hdd_tf.random_keys import derive_key

IMAGES = tf.random.stateless_normal([6, 32, 32, 3], [4, 5])


def both(name, norm="instance"):
    exact = build_network(name, (32, 32, 3), 10, 3, 16, norm)
    weights, state = exact.initial_variables(derive_key(7))
    return exact, exact.in_precision("bfloat16"), weights, state


def relative(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize(
    "name",
    [
        "convnet",
        pytest.param("resnet10", marks=pytest.mark.stress),
        "vgg11_batch",
        "lenet",
    ],
)
def test_logits_are_float32_and_near(name):
    exact, fast, weights, state = both(name)
    assert fast.weight_shapes == exact.weight_shapes
    assert all(v.dtype == "float32" for v in fast.model.trainable_variables)
    found, expected = (n.logits(weights, IMAGES, state) for n in (fast, exact))
    assert found.dtype == tf.float32
    # Rounded to 8 bits somewhere, and near nevertheless.
    assert 1e-5 < relative(found, expected) < 0.05
    assert fast.in_precision("bfloat16") is not exact
    assert exact.in_precision("bfloat16") is fast
    assert exact.in_precision("tf32") is exact


@pytest.mark.stress
@pytest.mark.parametrize(
    "name",
    [
        *("convnet", "convnet_batch"),
        *(
            pytest.param(name, marks=pytest.mark.stress)
            for name in NETWORKS
            if not name.startswith("convnet")
        ),
    ],
)
def test_training_goes_the_same_way(name):
    exact, fast, weights, state = both(name)
    # As far as bfloat16 rounds.
    noise = [
        tf.random.stateless_uniform(weight.shape, [number, 6], -1, 1) / 256
        for number, weight in enumerate(weights)
    ]
    moved = [weight * (1 + part) for weight, part in zip(weights, noise, strict=True)]

    def gradient(network, weights):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            logits, after = network.training_logits(weights, IMAGES, state)
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.range(6), logits)
            loss = tf.reduce_mean(loss)
        assert [s.dtype for s in after] == [s.dtype for s in state]
        flat = [tf.reshape(g, [-1]) for g in tape.gradient(loss, weights)]
        return tf.concat(flat, 0).numpy()

    expected = gradient(exact, weights)

    def turned(found):
        product = found @ expected / np.linalg.norm(found) / np.linalg.norm(expected)
        return 1 - product

    # Deep networks pass many kinks of ReLU, on whose other side rounding puts units:
    # in float32 too their gradient turns as soon as weights move as little. One across
    # the other, which 1 would be, is never near enough.
    largest = min(1.4 * turned(gradient(exact, moved)) + 0.01, 0.75)
    assert turned(gradient(fast, weights)) < largest


@pytest.mark.parametrize("norm", ["instance", "layer", "group", "none"])
def test_every_norm_has_float32_moments(norm):
    # A mean far from zero, which 8 bits of mantissa would not hold.
    exact, fast, weights, _ = both("convnet", norm)
    images = 0.1 * IMAGES + 3.0
    found, expected = (n.features(weights, images) for n in (fast, exact))
    assert found.dtype == tf.float32
    assert relative(found, expected) < 0.05


def test_blocks_give_float32_maps():
    with_maps = both("convnet")[1].with_blocks()
    weights = with_maps.initial_weights(derive_key(0))
    outputs = with_maps.block_outputs(weights, IMAGES)
    for maps in (*outputs["blocks"], *outputs["activations"]):
        assert maps.dtype == tf.float32


def test_the_policy_of_the_program_is_left_alone():
    both("convnet")
    assert keras.config.dtype_policy().name == "float32"
    assert keras.layers.Dense(2).compute_dtype == "float32"
