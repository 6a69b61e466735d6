"""Every network by name: known sizes, shapes, and what each does not take."""

import functools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.config import Config
from hdd_tf.errors import InputError
from hdd_tf.networks.convnet import build_convnet
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.plain_layers import convolve
from hdd_tf.networks.registry import build_network, matched_network
from hdd_tf.random_keys import derive_key

# Networks of many kinds train here: more than a few seconds in all.
pytestmark = pytest.mark.slow


@functools.cache
def build(name, image_shape, **options):
    return build_network(name, image_shape, 10, depth=3, width=128, **options)


# Weights of the versions for 32x32x3 images and 10 classes. The first rows are widely
# published counts (LeNet-5; VGG-11 with batch norm and ResNet-18 of pytorch-cifar);
# the others are sums of kernels, biases and norms by hand.
COUNTS = {
    "lenet": 62_006,
    "vgg11": 9_231_114,
    "resnet18": 11_173_962,
    # 320,010 in the released program, whose convolutions have 3 x 128 idle biases.
    "convnet": 320_010 - 3 * 128,
    "mlp": 3072 * 128 + 128 * 128 + 128 * 10 + 128 + 128 + 10,
    "alexnet": 25 * (3 * 128 + 128 * 192)
    + 9 * (192 * 256 + 256 * 192 + 192 * 192)
    + 3072 * 10
    + (128 + 192 + 256 + 192 + 192 + 10),
    # Stem, blocks' convolutions, shortcuts, norms' pairs, classifier.
    "resnet10": 9 * 3 * 64
    + 9 * (2 * 64**2 + 64 * 128 + 128**2 + 128 * 256 + 256**2 + 256 * 512 + 512**2)
    + (64 * 128 + 128 * 256 + 256 * 512)
    + 2 * (64 + 2 * (64 + 128 + 256 + 512) + 128 + 256 + 512)
    + 5130,
}


@pytest.mark.parametrize("name", COUNTS)
def test_number_of_weights_is_the_known_one(name):
    shapes = build(name, (32, 32, 3)).weight_shapes
    assert sum(math.prod(shape) for shape in shapes) == COUNTS[name]


@pytest.mark.parametrize("name", ["convnet", "vgg11", "resnet10", "resnet18"])
def test_batch_norm_by_name_has_the_same_weights_and_moving_statistics(name):
    network = build(f"{name}_batch", (32, 32, 3))
    by_flag = build(name, (32, 32, 3), norm="batch")
    shapes = network.weight_shapes
    assert sum(math.prod(shape) for shape in shapes) == COUNTS[name]
    norms = sum(len(shape) == 1 for shape in build(name, (32, 32, 3)).weight_shapes)
    biases = {"vgg11": 9}.get(name, 1)
    assert len(network.state_specs) == norms - biases
    assert by_flag.state_specs == network.state_specs
    assert by_flag.weight_shapes == shapes


# Features by the side of the images: 28, 32, 64, 128.
SIZES = {
    "convnet": (2048, 2048, 8192, 32_768),
    "mlp": (128, 128, 128, 128),
    "lenet": (84, 84, 84, 84),
    "alexnet": (3072, 3072, 12_288, 49_152),
    "vgg11": (512, 512, 512, 512),
    "resnet10": (512, 512, 512, 512),
    "resnet18": (512, 512, 512, 512),
}


@pytest.mark.parametrize("name", SIZES)
def test_features_and_logits_of_every_size(name):
    shapes = ((28, 28, 1), (32, 32, 3), (64, 64, 3), (128, 128, 3))
    for shape, size in zip(shapes, SIZES[name], strict=True):
        outputs = build(name, shape).model.output
        assert outputs["features"].shape == (None, size)
        assert outputs["logits"].shape == (None, 10)


def test_stem_of_resnet10_follows_the_size():
    # Up to 64 pixels the maps keep their size; then they are halved, then quartered.
    kernels = {
        side: build("resnet10", (side, side, 3)).weight_shapes[0][0]
        for side in (64, 128, 224)
    }
    assert kernels == {64: 3, 128: 3, 224: 7}
    last = {
        side: build("resnet10", (side, side, 3)).model.layers[-3].output.shape[1]
        for side in (64, 128, 224)
    }
    assert last == {64: 8, 128: 8, 224: 7}


@pytest.mark.parametrize("name", ["mlp", "lenet", "alexnet", "vgg11", "resnet18"])
def test_fresh_networks_tell_images_apart(name):
    network = build(name, (32, 32, 1))
    images = tf.random.stateless_normal([3, 32, 32, 1], derive_key(1))
    weights = network.initial_weights(derive_key(0))
    logits = network.logits(weights, images).numpy()
    assert np.isfinite(logits).all()
    assert logits.std(axis=0).min() > 1e-4
    assert network.features(weights, images).shape[0] == 3


@pytest.mark.parametrize(
    "name, side",
    [("lenet", 15), ("alexnet", 7), ("vgg11", 31), ("resnet18", 8), ("resnet10", 15)],
)
def test_too_small_images_are_an_input_error(name, side):
    assert build(name, (side + 1, side + 1, 1)).weight_shapes
    with pytest.raises(InputError, match=f"{name} takes images of {side + 1} pixels"):
        build(name, (40, side, 1))


def normalised(maps, norm):
    n, height, width, channels = maps.shape
    if norm == "none":
        return maps
    if norm == "group":
        maps = maps.reshape(n, height, width, 4, channels // 4)
    axes = {"instance": (1, 2), "layer": (1, 2, 3), "group": (1, 2, 4)}[norm]
    mean = maps.mean(axes, keepdims=True)
    maps = (maps - mean) / np.sqrt(maps.var(axes, keepdims=True) + 1e-5)
    return maps.reshape(n, height, width, channels)


def plain_convnet(images, kernels, biases, norm, activation, pooling):
    """The blocks as their definitions read, in NumPy; norms without their affine."""
    maps = images
    for kernel, bias in zip(kernels, biases, strict=True):
        n, height, width, _ = maps.shape
        padded = np.pad(maps, [(0, 0), (1, 1), (1, 1), (0, 0)])
        maps = bias + sum(
            padded[:, i : i + height, j : j + width] @ kernel[i, j]
            for i in range(3)
            for j in range(3)
        )
        maps = normalised(maps, norm)
        maps = {
            "relu": lambda x: np.maximum(x, 0),
            "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
            "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        }[activation](maps)
        if pooling != "none":
            maps = maps.reshape(n, height // 2, 2, width // 2, 2, -1)
            maps = (np.max if pooling == "max" else np.mean)(maps, axis=(2, 4))
    return maps.reshape(n, -1)


@pytest.mark.parametrize(
    "norm, activation, pooling",
    [
        ("instance", "relu", "average"),
        ("instance", "leaky_relu", "average"),
        ("layer", "relu", "max"),
        ("group", "sigmoid", "none"),
        ("none", "leaky_relu", "average"),
    ],
)
def test_variants_of_the_convnet_equal_their_definition(norm, activation, pooling):
    model = build_convnet((8, 12, 3), 4, 2, 8, norm, activation, pooling)
    network = FunctionalNetwork(model)
    weights = network.initial_weights(derive_key(0))
    kernels = [w.numpy() for w in weights if len(w.shape) == 4]
    biases = [np.zeros(8)] * 2
    if norm not in ("instance", "batch"):
        named = zip(model.trainable_variables, weights, strict=True)
        found = [w.numpy() for v, w in named if v.path.endswith("bias")]
        biases, _ = found[:2], found[2]
    images = np.random.default_rng(0).normal(size=(5, 8, 12, 3)).astype(np.float32)
    expected = plain_convnet(images, kernels, biases, norm, activation, pooling)
    found = network.features(weights, tf.constant(images))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_strided_convolution_pads_all_sides_alike():
    # Keras' own `same` would start the windows one pixel further.
    inputs = keras.Input((6, 6, 1))
    model = keras.Model(inputs, convolve(inputs, 1, 3, stride=2, bias=False))
    model.set_weights([np.ones([3, 3, 1, 1])])
    image = np.arange(36, dtype=np.float32).reshape(1, 6, 6, 1)
    padded = np.pad(image[0, :, :, 0], 1)
    expected = [
        [padded[i : i + 3, j : j + 3].sum() for j in (0, 2, 4)] for i in (0, 2, 4)
    ]
    np.testing.assert_allclose(model(image)[0, :, :, 0], expected)


def test_group_norm_of_an_undivided_width_is_an_input_error():
    with pytest.raises(InputError, match="give a --width that 4 divides"):
        build_convnet((8, 8, 1), 2, 1, 6, norm="group")


@pytest.mark.parametrize("settings", [{"norm": "batch"}, {"network": "convnet_batch"}])
def test_networks_with_batch_norm_are_not_matched(settings):
    config = Config(dataset="x", width=8, **settings)
    with pytest.raises(InputError, match=r"has batch norm.*networks=convnet_batch"):
        matched_network(config, (8, 8, 1), 2)
    plain = matched_network(Config(dataset="x", network="mlp"), (8, 8, 1), 2)
    assert plain.state_specs == []
