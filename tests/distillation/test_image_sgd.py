"""One batched update against one optimiser call a class."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.distillation.image_sgd import ImageSGD

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


def test_trajectory_is_the_authors_programs():
    golden = np.load(GOLDEN / "per_class_sgd.npz", allow_pickle=False)
    images = tf.Variable(golden["initial"])
    sgd = ImageSGD(
        images, float(golden["learning_rate"]), float(golden["momentum"]), True
    )
    for targets, expected in zip(golden["targets"], golden["trajectory"], strict=True):
        sgd.before_gradient()
        sgd.apply(2.0 * (images - targets))
        np.testing.assert_allclose(images.numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_per_class_equals_a_loop_over_classes(momentum):
    rng = np.random.default_rng(0)
    start, rate = rng.normal(size=(7, 2, 3)), 0.1
    target = rng.normal(size=start.shape)
    x, v = start.copy(), np.zeros_like(start)
    images = tf.Variable(start)
    sgd = ImageSGD(images, rate, momentum, per_class=True)
    for _ in range(5):
        for label in range(len(x)):
            gradient = np.zeros_like(x)
            gradient[label] = 4 * (x[label] - target[label]) ** 3
            v = momentum * v + gradient
            x = x - rate * v
        sgd.before_gradient()
        sgd.apply(4 * (images - target) ** 3)
        np.testing.assert_allclose(images.numpy(), x, atol=1e-12)
        np.testing.assert_allclose(sgd.velocity.numpy(), v, atol=1e-12)


def test_one_update_for_all_is_plain_momentum():
    images = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    sgd = ImageSGD(images, 0.5, 0.5)
    for _ in range(2):
        sgd.before_gradient()
        sgd.apply(tf.ones([2, 2]))
    # Velocities 1 and 1.5, so steps of 0.5 and 0.75.
    np.testing.assert_allclose(images.numpy(), [[-0.25, 0.75], [1.75, 2.75]])


def test_a_skipped_update_leaves_velocity_and_images_whatever_the_gradient():
    images = tf.Variable([1.0, 2.0])
    sgd = ImageSGD(images, 0.1, 0.5)
    sgd.apply(tf.constant([1.0, -1.0]), where=tf.constant(True))
    before = images.numpy(), sgd.velocity.numpy()
    assert before[1].all()
    sgd.apply(tf.constant([np.nan, np.inf]), where=tf.constant(False))
    np.testing.assert_array_equal((images.numpy(), sgd.velocity.numpy()), before)
