"""The optimiser against its definition, where Keras' own differs."""

import numpy as np
import tensorflow as tf

from hdd_tf.protocols.sgd import sgd_step


def test_three_steps_across_a_rate_drop():
    # v = .9 v + g + wd w; w -= lr v, by hand in float64; the rate drops before the
    # third step and the velocity is kept, which tells it from a velocity that
    # contains the rate.
    weight, velocity = tf.constant(2.0, tf.float64), tf.constant(0.0, tf.float64)
    expected_weight, expected_velocity = 2.0, 0.0
    for gradient, rate in ((0.5, 0.1), (-0.3, 0.1), (0.2, 0.01)):
        weight, velocity = sgd_step(
            weight, velocity, tf.constant(gradient, tf.float64), rate, 0.9, 0.05
        )
        expected_velocity = 0.9 * expected_velocity + gradient + 0.05 * expected_weight
        expected_weight -= rate * expected_velocity
        np.testing.assert_allclose(weight, expected_weight, rtol=1e-12)
        np.testing.assert_allclose(velocity, expected_velocity, rtol=1e-12)


def test_weight_decay_alone_shrinks_the_weight_through_the_momentum():
    # Decoupled decay would give (1 - rate wd)^2 = 0.81 after two steps.
    weight, velocity = tf.constant(1.0, tf.float64), tf.constant(0.0, tf.float64)
    for _ in range(2):
        weight, velocity = sgd_step(weight, velocity, 0.0, 0.1, 0.9, 1.0)
    np.testing.assert_allclose(weight, 0.9 - 0.1 * (0.9 + 0.9), rtol=1e-12)
