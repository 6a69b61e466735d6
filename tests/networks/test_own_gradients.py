"""The fused block's own operations, beside TensorFlow's."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.networks.layers import own_gradients
from hdd_tf.networks.layers.own_gradients import average_pool, neighbours, relu

PADDED = tf.random.stateless_normal([3, 7, 6, 3], [1, 2])


def slices(padded):
    """The neighbours as their definition reads."""
    height, width = padded.shape[1] - 2, padded.shape[2] - 2
    taps = [
        padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)
    ]
    return tf.concat([*taps, tf.ones_like(taps[0][..., :1])], axis=-1)


def with_gradients(operation, x, above):
    """The values, their gradient, and the gradient of that gradient's squares."""

    @tf.function(autograph=False)
    def compute():
        with tf.GradientTape() as outer:
            outer.watch(above)
            with tf.GradientTape() as tape:
                tape.watch(x)
                values = operation(x)
            first = tape.gradient(values, x, above)
        return values, first, outer.gradient(first, above, first)

    return [tf.cast(found, tf.float32).numpy() for found in compute()]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("gpus", [0, 1])
def test_neighbours_are_slices_to_the_bit(gpus, channels, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind] * gpus)
    padded = PADDED[..., :channels]
    above = tf.random.stateless_normal([3, 5, 4, 9 * channels + 1], [3, 4])
    found, expected = (
        with_gradients(operation, padded, above) for operation in (neighbours, slices)
    )
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_rounded_neighbours_sum_their_gradient_in_float32():
    above = tf.cast(tf.random.stateless_normal([3, 5, 4, 28], [3, 4]), tf.bfloat16)
    rounded = tf.cast(PADDED, tf.bfloat16)
    values, first, _ = with_gradients(neighbours, rounded, above)
    wide = tf.cast(rounded, tf.float32)
    expected, gradient, _ = with_gradients(slices, wide, tf.cast(above, tf.float32))
    np.testing.assert_array_equal(values, expected)
    rounded_gradient = tf.cast(tf.cast(gradient, tf.bfloat16), tf.float32)
    np.testing.assert_array_equal(first, rounded_gradient)


@pytest.mark.parametrize("has_nan", [False, True])
@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
def test_relu_is_tensorflows(dtype, has_nan):
    ends = [0.0, -0.0, np.inf, -np.inf, 1e-37, -1e-37, 3e38, -3e38]
    nan = [np.nan, -np.nan] if has_nan else []
    x = tf.concat([tf.reshape(PADDED, [-1]), ends, nan], 0)
    x = tf.cast(tf.reshape(x, [1, 1, -1, 1]), dtype)
    above = tf.cast(tf.random.stateless_normal(x.shape, [5, 6]), dtype)
    found, expected = (
        with_gradients(operation, x, above)
        for operation in (lambda maps: relu(maps, tf.constant(has_nan)), tf.nn.relu)
    )
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("size", [(8, 6), (7, 6), (8, 5)])
@pytest.mark.parametrize("gpus", [0, 1])
@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
def test_average_pool_is_tensorflows_to_the_bit(dtype, gpus, size, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind] * gpus)
    rows, columns = size
    maps = tf.random.stateless_normal([3, rows, columns, 5], [1, 2])
    above = tf.random.stateless_normal([3, rows // 2, columns // 2, 5], [3, 4])
    found, expected = (
        with_gradients(operation, tf.cast(maps, dtype), tf.cast(above, dtype))
        for operation in (average_pool, lambda m: tf.nn.avg_pool2d(m, 2, 2, "VALID"))
    )
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_shape_is_traced_once(monkeypatch):
    traces = []

    @own_gradients.traced_once
    def twice(x):
        traces.append(x.shape)
        return 2.0 * x, lambda above: 2.0 * above

    for _ in range(3):
        graph = tf.function(lambda x: twice(twice(x)), autograph=False)
        assert graph(tf.ones([2])).numpy().tolist() == [4.0, 4.0]
    assert traces == [[2]]
    twice(tf.ones([3]))
    assert traces == [[2], [3]]
