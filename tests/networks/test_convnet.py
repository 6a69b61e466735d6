"""The ConvNet against the authors' program, and against its own plain form."""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.errors import InputError
from hdd_tf.networks.convnet import build_convnet
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.layers.conv_block import ConvBlock
from hdd_tf.networks.layers.instance_norm import InstanceNormalization
from hdd_tf.random_keys import derive_key

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


def golden_weights(golden, case):
    get = lambda name: golden[f"case{case}_{name}"]  # noqa: E731
    weights = []
    for block in range(int(get("depth"))):
        weights += [
            get(f"conv{block}_kernel"),
            get(f"norm{block}_gamma"),
            get(f"norm{block}_beta"),
        ]
    kernel = get("classifier_kernel_hwc")
    return [*weights, kernel.reshape(-1, kernel.shape[-1]), get("classifier_bias")]


@pytest.mark.parametrize("case", range(3))
def test_convnet_equals_golden(case):
    # Written by the authors' released networks, torch 2.13.0, seed in the file.
    golden = np.load(GOLDEN / "convnet.npz", allow_pickle=False)
    x = tf.constant(golden[f"case{case}_x"])
    features = golden[f"case{case}_features"]
    logits = golden[f"case{case}_logits"]
    depth, width = int(golden[f"case{case}_depth"]), int(golden[f"case{case}_width"])
    model = build_convnet(tuple(x.shape[1:]), logits.shape[-1], depth, width)
    network = FunctionalNetwork(model)
    weights = [tf.constant(w) for w in golden_weights(golden, case)]
    assert [tuple(w.shape) for w in weights] == network.weight_shapes
    with tf.GradientTape() as tape:
        tape.watch(x)
        found_features = network.features(weights, x)
        found_logits = network.logits(weights, x)
        total = tf.reduce_sum(found_features) + tf.reduce_sum(found_logits)
    np.testing.assert_allclose(
        found_features, features.reshape(len(features), -1), atol=1e-4
    )
    np.testing.assert_allclose(found_logits, logits, atol=1e-4)
    gradient = tape.gradient(total, x)
    np.testing.assert_allclose(gradient, golden[f"case{case}_grad_x"], atol=1e-4)


def plain_block(block, images):
    """The block as its definition reads, from Keras' own layers."""
    rows = [[0, 0], [block.padding] * 2, [block.padding] * 2, [0, 0]]
    maps = tf.nn.conv2d(images, block.kernel, 1, rows)
    norm = InstanceNormalization()
    norm.build(maps.shape)
    norm.gamma.assign(block.gamma)
    norm.beta.assign(block.beta)
    return keras.layers.AveragePooling2D(2)(tf.nn.relu(norm(maps)))


@pytest.mark.parametrize("channels, width", [(1, 20), (3, 54), (3, 8), (5, 16)])
@pytest.mark.parametrize("padding", [1, 3])
@pytest.mark.parametrize("size", [(8, 8), (9, 12)])
def test_fused_block_equals_plain_layers(channels, width, padding, size):
    # Both routes (patches for few channels, map otherwise), scales of either sign.
    rng = np.random.default_rng(channels * width + padding)
    images = tf.constant(rng.normal(size=(6, *size, channels)) * 2 + 1, tf.float32)
    block = ConvBlock(width, padding)
    block.build(images.shape)
    block.kernel.assign(rng.normal(size=block.kernel.shape))
    block.gamma.assign(rng.normal(size=width))
    block.beta.assign(rng.normal(size=width))
    cotangent = None
    gradients = []
    for forward in (block, lambda x: plain_block(block, x)):
        with tf.GradientTape() as tape:
            tape.watch(images)
            output = forward(images)
            if cotangent is None:
                cotangent = rng.normal(size=output.shape)
            loss = tf.reduce_sum(output * cotangent)
        gradients.append((output, tape.gradient(loss, images)))
    (found, found_gradient), (expected, expected_gradient) = gradients
    assert block.compute_output_shape(images.shape) == tuple(found.shape)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    np.testing.assert_allclose(found_gradient, expected_gradient, atol=1e-4)


def test_nearly_flat_bright_image_keeps_its_variance():
    # Without centring, mean^2 = 100 would swallow the variance of 1e-4 in float32.
    rng = np.random.default_rng(0)
    images = 10 + 0.01 * rng.normal(size=(2, 8, 8, 1))
    block = ConvBlock(32, padding=0)
    block.build((None, 8, 8, 1))
    block.kernel.assign(rng.normal(size=block.kernel.shape))
    maps = tf.nn.conv2d(images, tf.cast(block.kernel, tf.float64), 1, "VALID")
    mean, variance = tf.nn.moments(maps, [1, 2], keepdims=True)
    normal = tf.nn.relu((maps - mean) / tf.sqrt(variance + 1e-5))
    expected = tf.nn.avg_pool2d(normal, 2, 2, "VALID")
    # 5e-4: the input itself is only known to 1e-6 of 0.01.
    np.testing.assert_allclose(
        block(tf.constant(images, tf.float32)), expected, atol=5e-4
    )


@pytest.mark.parametrize("case", range(2))
def test_instance_normalization_equals_tensorflow_addons(case):
    golden = np.load(GOLDEN / "addons.npz", allow_pickle=False)
    prefix = f"instance_norm{case}_"
    layer = InstanceNormalization(epsilon=float(golden[prefix + "epsilon"]))
    layer.build(golden[prefix + "x"].shape)
    layer.gamma.assign(golden[prefix + "gamma"])
    layer.beta.assign(golden[prefix + "beta"])
    np.testing.assert_allclose(
        layer(golden[prefix + "x"]), golden[prefix + "y"], atol=1e-5
    )


def test_weights_are_a_pure_function_of_the_key():
    model = build_convnet((32, 32, 3), 10, depth=3, width=16)
    network = FunctionalNetwork(model)
    first = network.initial_weights(derive_key(7, 1))
    again = tf.function(network.initial_weights)(derive_key(7, 1))
    other = network.initial_weights(derive_key(7, 2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], other[0])
    # Two kernels of one shape are different draws.
    assert not np.array_equal(first[3], first[6])


def test_initial_weights_are_uniform_within_the_fan_in_bound():
    model = build_convnet((32, 32, 3), 10, depth=2, width=64)
    weights = FunctionalNetwork(model).initial_weights(derive_key(0))
    kernel = weights[3].numpy()
    assert kernel.shape == (3, 3, 64, 64)
    bound = 1 / np.sqrt(9 * 64)
    assert np.abs(kernel).max() <= bound
    # Uniform: standard deviation bound / sqrt(3), 36,864 draws.
    np.testing.assert_allclose(kernel.std(), bound / np.sqrt(3), rtol=0.02)
    bias = weights[-1].numpy()
    assert bias.shape == (10,)
    assert 0 < np.abs(bias).max() <= 1 / np.sqrt(8 * 8 * 64)
    assert all((w.numpy() == 1).all() for w in weights[1:6:3])
    assert all((w.numpy() == 0).all() for w in weights[2:6:3])


def test_features_of_28_pixel_images_have_the_size_of_32_pixel_ones():
    small = build_convnet((28, 28, 1), 10, depth=3, width=16)
    large = build_convnet((32, 32, 1), 10, depth=3, width=16)
    assert small.output["features"].shape == large.output["features"].shape


def test_too_deep_network_is_an_input_error():
    with pytest.raises(InputError, match="--depth=4 halves 8x8"):
        build_convnet((8, 8, 1), 10, depth=4, width=4)


def test_block_config_round_trip():
    block = ConvBlock(24, padding=3, name="first")
    again = ConvBlock.from_config(block.get_config())
    assert (again.width, again.padding, again.name) == (24, 3, "first")


@pytest.mark.parametrize("padding", [0, 1, 3])
def test_padding_is_that_of_explicit_zeros(padding):
    images = tf.random.stateless_normal([2, 12, 12, 32], [1, 2])
    block = ConvBlock(16, padding)
    found = block(images)
    rows = [padding, padding]
    maps = tf.nn.conv2d(images, block.kernel, 1, [[0, 0], rows, rows, [0, 0]])
    mean, variance = tf.nn.moments(maps, [1, 2], keepdims=True)
    expected = tf.nn.relu((maps - mean) * tf.math.rsqrt(variance + 1e-5))
    expected = tf.nn.avg_pool2d(expected, 2, 2, "VALID")
    np.testing.assert_allclose(found, expected, atol=1e-5)
