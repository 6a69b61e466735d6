"""The distance of means, not squared: steps of the length that geodesics give."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.geometry.euclidean import UnsquaredGeometry
from tests.geometry.matching import features

REAL, SYNTHETIC = features(4, (3, 8, 5), 2.0), features(5, (3, 2, 5), 2.0)


def gradient_of(real, synthetic, weight=20.0):
    geometry, made = UnsquaredGeometry(weight), tf.constant(synthetic)
    with tf.GradientTape() as tape:
        tape.watch(made)
        loss = geometry.loss(geometry.summarize(tf.constant(real)), made)
    return loss.numpy(), tape.gradient(loss, made).numpy()


@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e3])
def test_gradient_has_the_same_length_however_far_the_means_are_apart(factor):
    loss, gradient = gradient_of(factor * REAL, factor * SYNTHETIC)
    apart = np.linalg.norm(REAL.mean(1) - SYNTHETIC.mean(1), axis=-1)
    np.testing.assert_allclose(loss, 20.0 * factor * apart, rtol=1e-12)
    # Of the mean of two images; each has half of it.
    np.testing.assert_allclose(np.linalg.norm(gradient.sum(1), axis=-1), 20.0)


def test_gradient_is_that_of_finite_differences():
    geometry, real = UnsquaredGeometry(3.0), tf.constant(REAL)
    (found,), (numeric,) = tf.test.compute_gradient(
        lambda made: geometry.loss(geometry.summarize(real), made), [SYNTHETIC]
    )
    np.testing.assert_allclose(found, numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_coincident_means_have_no_gradient(dtype):
    same = np.ones([1, 2, 5], dtype)
    loss, gradient = gradient_of(same, same)
    assert loss.dtype == dtype and loss == [0.0]
    np.testing.assert_array_equal(gradient, np.zeros_like(same))


@pytest.mark.parametrize("weight", [-1.0, float("inf"), float("nan")])
def test_unusable_weights(weight):
    with pytest.raises(ValueError, match="`loss_weight` must be finite"):
        UnsquaredGeometry(weight)
