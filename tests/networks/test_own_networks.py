"""Networks that users bring: what is taken, what is refused, how they are seeded."""

import pathlib
import random
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.errors import InputError
from hdd_tf.networks.own_networks import build_own_network
from hdd_tf.random_keys import derive_key

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "own_network.py"
SHAPE, CLASSES = (8, 8, 1), 3
BROKEN = """
import keras

def dense(image_shape, units, activation=None):
    return keras.Sequential([
        keras.layers.Input(image_shape),
        keras.layers.Flatten(),
        keras.layers.Dense(units, activation=activation),
    ])

def fails(image_shape, num_classes):
    raise RuntimeError("too many\\nclasses")

def no_model(image_shape, num_classes):
    return dense

def other_classes(image_shape, num_classes):
    return dense(image_shape, num_classes + 1)

def no_logits(image_shape, num_classes):
    model = dense(image_shape, num_classes)
    return keras.Model(model.inputs, {"scores": model.outputs[0]})

def other_images(image_shape, num_classes):
    return dense((3, 3, 3), num_classes)

def softmax(image_shape, num_classes):
    return dense(image_shape, num_classes, "softmax")

def softmax_layer(image_shape, num_classes):
    model = dense(image_shape, num_classes)
    return keras.Sequential([model, keras.layers.Softmax()])

def sigmoid(image_shape, num_classes):
    return dense(image_shape, num_classes, "sigmoid")

constant = 3
"""
REFUSED = [
    ("not_there:build", "there is no module not_there"),
    ("my_networks:nothing", "my_networks has no function nothing"),
    ("my_networks:constant", "my_networks has no function constant"),
    ("my_typo:build", "SyntaxError"),
    ("my_needs:build", "ModuleNotFoundError: No module named 'not_installed'"),
    ("my_networks:fails", "failed with RuntimeError: too many classes"),
    ("my_networks:no_model", "it returned function, no keras.Model"),
    ("my_networks:other_classes", r"is to give \[n, 3\] logits.* it gave \(4, 4\)"),
    ("my_networks:no_logits", r"is to give \[n, 3\] logits.* it gave dict"),
    ("my_networks:other_images", "failed with ValueError"),
    ("my_networks:softmax", "gives probabilities"),
    ("my_networks:softmax_layer", "gives probabilities"),
    ("my_networks:sigmoid", "gives probabilities"),
]


@pytest.fixture
def working_directory(tmp_path, monkeypatch):
    """A directory of modules that is not on the path, as for an installed command."""
    (tmp_path / "my_networks.py").write_text(BROKEN)
    (tmp_path / "my_typo.py").write_text("def build(:\n")
    (tmp_path / "my_needs.py").write_text("import not_installed\n")
    (tmp_path / "own_network.py").write_text(EXAMPLE.read_text("utf-8"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    yield tmp_path
    for name in ("my_networks", "my_typo", "my_needs", "own_network"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name, said", REFUSED, ids=[name for name, _ in REFUSED])
def test_what_cannot_be_used_is_answered_in_one_line(working_directory, name, said):
    with pytest.raises(InputError, match=said) as caught:
        build_own_network(name, SHAPE, CLASSES)
    assert str(caught.value).startswith(f"--eval_networks={name}")
    assert "\n" not in str(caught.value)


def test_the_example_is_a_network_with_state(working_directory):
    network = build_own_network("own_network:small_network", SHAPE, CLASSES)
    weights, state = network.initial_variables(derive_key(0))
    assert [w.shape for w in weights] == network.weight_shapes
    assert [s.dtype for s in state] == [spec.dtype for spec in network.state_specs]
    assert len(state) == 3  # Batch norm's two and the dropout's generator.
    images = tf.random.stateless_normal([5, *SHAPE], derive_key(1))
    assert network.logits(weights, images, state).shape == (5, CLASSES)


def test_weights_follow_from_the_key_and_nothing_else_is_disturbed(working_directory):
    network = build_own_network("own_network:small_network", SHAPE, CLASSES)
    random.seed(1)
    np.random.seed(1)
    expected = random.random(), np.random.random()
    random.seed(1)
    np.random.seed(1)
    first, again, other = (
        network.initial_variables(derive_key(seed)) for seed in (0, 0, 1)
    )
    assert (random.random(), np.random.random()) == expected
    for a, b in zip([*first[0], *first[1]], [*again[0], *again[1]], strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0][0], other[0][0])
    # Keras' own initialiser (Glorot), not the published networks' bound of 1/3.
    assert np.abs(first[0][0]).max() <= np.sqrt(6 / (9 + 9 * 16)) < 1 / 3
    # The dropout's masks differ from network to network too.
    assert not np.array_equal(first[1][-1], other[1][-1])


def test_a_subclassed_model_is_built_and_may_return_a_dictionary(monkeypatch):
    class Own(keras.Model):
        def __init__(self, num_classes):
            super().__init__()
            self.classifier = keras.layers.Dense(num_classes)

        def call(self, images):
            return {"logits": self.classifier(keras.ops.mean(images, (1, 2)))}

    module = type(sys)("in_memory")
    module.build = lambda image_shape, num_classes: Own(num_classes)
    monkeypatch.setitem(sys.modules, "in_memory", module)
    network = build_own_network("in_memory:build", SHAPE, CLASSES)
    assert network.weight_shapes == [(1, 3), (3,)]
    weights = network.initial_weights(derive_key(0))
    assert network.training_logits(weights, tf.zeros([2, *SHAPE]))[0].shape == (2, 3)
