"""The maps of a ConvNet's blocks, of the fused block and of plain layers alike."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.errors import InputError
from hdd_tf.networks.registry import build_network
from hdd_tf.random_keys import derive_key

# The first is fused, from patches and from maps; 28x28 images get a wider margin.
SHAPES = [(16, 16, 1), (28, 28, 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("norm", "activation", "pooling"),
    [("instance", "relu", "average"), ("group", "leaky_relu", "max")],
)
def test_blocks_lead_from_the_images_to_the_features(shape, norm, activation, pooling):
    network = build_network("convnet", shape, 3, 3, 20, norm, activation, pooling)
    weights = network.initial_weights(derive_key(1))
    # Altered, or the affine part would not be seen.
    weights = [w + 0.1 if len(w.shape) == 1 else w for w in weights]
    images = tf.random.stateless_normal([4, *shape], derive_key(2))
    plain = network.outputs(weights, images)
    tapped = network.with_blocks().block_outputs(weights, images)
    for name in ("features", "logits"):
        np.testing.assert_array_equal(plain[name], tapped[name])
    side = 32 if shape[0] == 28 else shape[0]
    for activated, pooled in zip(tapped["activations"], tapped["blocks"], strict=True):
        assert activated.shape == (4, side, side, 20)
        side //= 2
        pool = tf.nn.avg_pool2d if pooling == "average" else tf.nn.max_pool2d
        again = pool(activated, 2, 2, "VALID")
        np.testing.assert_allclose(pooled, again, atol=1e-6)
        if activation == "relu":
            assert activated.numpy().min() >= -1e-6
    flat = tf.reshape(tapped["blocks"][-1], [4, -1])
    np.testing.assert_array_equal(flat, plain["features"])


def test_a_map_before_pooling_has_the_gradient_of_plain_layers():
    network = build_network("convnet", (8, 8, 1), 3, 2, 20)
    weights = network.initial_weights(derive_key(1))
    images = tf.random.stateless_normal([1, 8, 8, 1], derive_key(2))

    def total(images):
        outputs = network.with_blocks().block_outputs(weights, images)
        return tf.add_n([tf.reduce_sum(a**2) for a in outputs["activations"]])

    with tf.GradientTape() as tape:
        tape.watch(images)
        value = total(images)
    gradient = tape.gradient(value, images)
    direction = tf.random.stateless_normal([1, 8, 8, 1], derive_key(3))
    step = 1e-2
    numeric = total(images + step * direction) - total(images - step * direction)
    expected = float(tf.reduce_sum(gradient * direction))
    assert float(numeric) / (2 * step) == pytest.approx(expected, rel=2e-2)


def test_a_network_without_known_blocks_says_so():
    network = build_network("mlp", (8, 8, 1), 3, 2, 8)
    with pytest.raises(InputError, match="the network mlp does not provide them"):
        network.with_blocks()
