"""An ensemble of trained networks as data, and the function that it is."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.registry import build_with_options
from hdd_tf.networks.teacher import Teacher, TeacherNetwork

SHAPE, CLASSES = (8, 8, 3), 4
OPTIONS = NetworkOptions(depth=2, width=4)


def stored(name, seed):
    """A network with weights and statistics like a trained one's."""
    network = build_with_options(name, SHAPE, CLASSES, OPTIONS)
    rng = np.random.default_rng(seed)
    return TeacherNetwork(
        name,
        OPTIONS,
        [rng.normal(size=s).astype(np.float32) for s in network.weight_shapes],
        [rng.uniform(0.5, 2, s.shape).astype(np.float32) for s in network.state_specs],
    )


@pytest.fixture(scope="module")
def teacher():
    return Teacher((stored("convnet_batch", 0), stored("mlp", 1)), SHAPE, CLASSES)


def test_logits_are_the_mean_of_keras_own(teacher):
    images = np.random.default_rng(2).normal(size=(5, *SHAPE)).astype(np.float32)
    expected = np.zeros((5, CLASSES))
    for member in teacher.networks:
        model = build_with_options(member.name, SHAPE, CLASSES, OPTIONS).model
        for variable, value in zip(
            model.trainable_variables, member.weights, strict=True
        ):
            variable.assign(value)
        for variable, value in zip(
            model.non_trainable_variables, member.state, strict=True
        ):
            variable.assign(value)
        expected += model(images, training=False)["logits"].numpy() / 2
    logits_of = teacher.logits_function()
    np.testing.assert_allclose(logits_of(images), expected, rtol=1e-5, atol=1e-5)
    # An image's logits do not depend on its batch, as they would in training mode.
    np.testing.assert_allclose(logits_of(images[:2]), expected[:2], rtol=1e-5)
    assert logits_of.experimental_get_tracing_count() == 1


def test_a_teacher_serves_inside_another_graph(teacher):
    logits_of = teacher.logits_function()
    images = tf.random.stateless_normal([3, *SHAPE], [0, 1])
    inside = tf.function(lambda images: logits_of(images))(images)
    np.testing.assert_allclose(inside, logits_of(images), atol=1e-5)


def with_network(teacher, **changes):
    first, second = teacher.networks
    first = dataclasses.replace(first, **changes)
    return dataclasses.replace(teacher, networks=(first, second))


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"name": "other"}, "no network 'other'"),
        ({"name": "os:system"}, "no network 'os:system'"),
        ({"options": NetworkOptions(depth=1, width=4)}, "has weights of shapes"),
        ({"state": []}, "has state of shapes"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(teacher, changes, said):
    with pytest.raises(ValueError, match=said):
        with_network(teacher, **changes).logits_function()


def test_arrays_of_another_dtype_are_refused(teacher):
    first = teacher.networks[0]
    for what in ("weights", "state"):
        wide = [array.astype(np.float64) for array in getattr(first, what)]
        with pytest.raises(ValueError, match="must have float32 weights"):
            with_network(teacher, **{what: wide}).logits_function()


def test_no_network_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        Teacher((), SHAPE, CLASSES)
