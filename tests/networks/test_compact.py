"""Compact networks: sizes that are known, their initial weights, and layers' inputs."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.errors import InputError
from hdd_tf.networks.compact import _shuffled
from hdd_tf.networks.initialisation import FanOutInitialisation
from hdd_tf.networks.layer_inputs import LayerInputs
from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.registry import build_with_options
from hdd_tf.random_keys import derive_key

# Four deep networks are built: some seconds.
pytestmark = pytest.mark.slow

# Weights in millions, convolutions and batch norms, least side of a map; published
# counts of the networks of G-VBSM's program.
KNOWN = {
    "resnet18_batch": (11.17, 20, 20, 4),
    "mobilenet_v2": (0.70, 53, 53, 2),
    "wide_resnet": (0.69, 16, 13, 8),
    "shufflenet_v2": (0.35, 56, 56, 4),
}


def build(name, shape=(32, 32, 3)):
    return build_with_options(name, shape, 10, NetworkOptions(1, 8))


@pytest.fixture(scope="module")
def networks():
    return {name: build(name) for name in KNOWN}


@pytest.mark.parametrize("name", KNOWN)
def test_weights_layers_and_maps_are_as_many_as_published(networks, name):
    weights, convolutions, norms, side = KNOWN[name]
    shapes = networks[name].weight_shapes
    assert round(sum(map(math.prod, shapes)) / 1e6, 2) == weights
    places = LayerInputs(networks[name]).places
    assert sum(place.moving is None for place in places) == convolutions
    assert sum(place.moving is not None for place in places) == norms
    assert [place.takes_images for place in places] == [True] + [False] * (
        convolutions + norms - 1
    )
    assert min(place.shape[0] for place in places) == side


def test_what_enters_the_layers_is_read_and_the_logits_stay(networks):
    network = networks["shufflenet_v2"]
    weights, state = network.initial_variables(derive_key(0))
    images = tf.random.stateless_normal([2, 32, 32, 3], [1, 2])
    inputs = LayerInputs(network)
    seen = inputs(weights, images, state)
    logits = network.logits(weights, images, state)
    np.testing.assert_array_equal(seen.logits, logits)
    shapes = [tuple(entering.shape[1:]) for entering in seen.maps]
    assert shapes == [place.shape for place in inputs.places]
    np.testing.assert_array_equal(seen.maps[0], images)
    # The stem, then its batch norm.
    stem = tf.nn.conv2d(images, weights[0], 1, "SAME")
    np.testing.assert_allclose(seen.maps[1], stem, atol=1e-5)
    norms = [place.moving for place in inputs.places if place.moving]
    assert sorted(sum(norms, ())) == list(range(len(network.state_specs)))


def test_a_network_without_convolutions_is_refused():
    with pytest.raises(InputError, match="has no convolutions"):
        LayerInputs(build("mlp"))


def test_initial_weights_have_the_deviations_of_the_program(networks):
    """Fan-out for two of them; for ShuffleNetV2 the inputs of a channel count."""
    for name, deviation_of in (
        ("mobilenet_v2", lambda s: math.sqrt(2 / (s[0] * s[1] * max(s[2:])))),
        ("shufflenet_v2", lambda s: 1 / math.sqrt(3 * s[0] * s[1] * s[2])),
    ):
        network = networks[name]
        weights, _ = network.initial_variables(derive_key(1))
        paths = [variable.path for variable in network.model.trainable_variables]
        for path, weight in zip(paths, weights, strict=True):
            shape = weight.shape.as_list()
            if len(shape) < 4 or weight.shape.num_elements() < 1000:
                continue
            if "depthwise" in path and name == "shufflenet_v2":
                shape[2] = 1
            elif "depthwise" not in path and name == "mobilenet_v2":
                shape[2] = 0
            found = float(tf.math.reduce_std(weight))
            assert found == pytest.approx(deviation_of(shape), rel=0.1), path
    dense = networks["mobilenet_v2"].initial_weights(derive_key(1))[-2]
    assert float(tf.math.reduce_std(dense)) == pytest.approx(0.01, rel=0.05)


def test_other_initial_weights_for_the_same_network(networks):
    network = networks["resnet18_batch"]
    other = network.with_draw(FanOutInitialisation)
    assert other.model is network.model
    stem, before = (n.initial_weights(derive_key(2))[0] for n in (other, network))
    assert float(tf.math.reduce_std(stem)) == pytest.approx(
        math.sqrt(2 / (9 * 64)), rel=0.1
    )
    assert float(tf.math.reduce_std(before)) == pytest.approx(1 / 9, rel=0.1)


def test_channels_are_shuffled_by_twos():
    left, right = keras.Input((1, 1, 3)), keras.Input((1, 1, 3))
    model = keras.Model([left, right], _shuffled(left, right))
    values = tf.reshape(tf.range(6.0), [2, 1, 1, 1, 3])
    found = model([values[0], values[1]])
    np.testing.assert_array_equal(tf.reshape(found, [-1]), [0, 3, 1, 4, 2, 5])
