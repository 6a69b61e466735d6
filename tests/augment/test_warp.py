"""Warps against a per-pixel oracle, exact cases, and the gradient."""

import math

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.augment.warp import warp

IDENTITY = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
# groups, images, height, width, channels
SHAPES = [(3, 2, 6, 6, 3), (2, 3, 5, 9, 1), (4, 1, 7, 4, 3), (2, 2, 1, 6, 1)]


def read(image, row, column):
    height, width, channels = image.shape
    if 0 <= row < height and 0 <= column < width:
        return image[row, column]
    return np.zeros(channels, image.dtype)


def bilinear(image, y, x):
    """The value at a point between four pixels, one axis after the other."""
    row, column = math.floor(y), math.floor(x)
    down, right = y - row, x - column

    def between(row):
        left, right_one = read(image, row, column), read(image, row, column + 1)
        return (1 - right) * left + right * right_one

    return (1 - down) * between(row) + down * between(row + 1)


def slow_warp(images, affine):
    warped = np.zeros_like(images)
    groups, count, height, width, _ = images.shape
    for g in range(groups):
        a0, a1, a2, b0, b1, b2 = affine[g]
        for i in range(count):
            for row in range(height):
                for column in range(width):
                    x = a0 * column + a1 * row + a2
                    y = b0 * column + b1 * row + b2
                    warped[g, i, row, column] = bilinear(images[g, i], y, x)
    return warped


def draw_case(shape, seed=0):
    rng = np.random.default_rng(seed)
    groups, width = shape[0], shape[3]
    affine = np.array([IDENTITY]) + rng.uniform(-0.4, 0.4, size=(groups, 6))
    affine[0, :3] *= -1
    affine[0, 2] += width - 1
    affine[:, [2, 5]] += rng.uniform(-2, 2, size=(groups, 2))
    return rng.normal(size=shape), affine


@pytest.mark.parametrize("shape", SHAPES)
def test_warp_equals_the_oracle(shape):
    images, affine = draw_case(shape)
    expected = slow_warp(images, affine)
    np.testing.assert_allclose(
        warp(tf.constant(images), tf.constant(affine)), expected, atol=1e-13
    )
    single = warp(tf.constant(images, tf.float32), tf.constant(affine))
    assert single.dtype == tf.float32
    np.testing.assert_allclose(single, expected, atol=2e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("height,width", [(32, 32), (5, 12), (1, 1), (225, 3)])
def test_identity_flips_and_whole_shifts_are_exact(height, width, dtype):
    rng = np.random.default_rng(1)
    images = rng.normal(size=(4, 2, height, width, 3)).astype(dtype)
    affine = np.array([IDENTITY] * 4, dtype)
    affine[1, :3] = [-1, 0, width - 1]
    affine[2, 2] = 2
    affine[3, 5] = -1
    warped = warp(tf.constant(images), tf.constant(affine)).numpy()
    np.testing.assert_array_equal(warped[0], images[0])
    np.testing.assert_array_equal(warped[1], images[1, :, :, ::-1])
    shifted = np.pad(images[2], [(0, 0), (0, 0), (0, 2), (0, 0)])[:, :, 2:]
    np.testing.assert_array_equal(warped[2], shifted)
    shifted = np.pad(images[3], [(0, 0), (1, 0), (0, 0), (0, 0)])[:, :height]
    np.testing.assert_array_equal(warped[3], shifted)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradient_equals_finite_differences(shape):
    images, affine = draw_case(shape, seed=2)
    cotangent = np.random.default_rng(3).normal(size=shape)

    @tf.function
    def loss(images):
        return tf.reduce_sum(tf.square(warp(images, affine)) * cotangent)

    affine = tf.constant(affine)
    (theoretical,), (numeric,) = tf.test.compute_gradient(loss, [images], delta=1e-4)
    np.testing.assert_allclose(theoretical, numeric, atol=1e-8)
    assert np.abs(theoretical).max() > 0.1


@pytest.mark.parametrize("degrees,scale", [(15, 1), (0, 1.2), (-40, 0.3)])
def test_gradient_is_the_adjoint_at_full_size(degrees, scale):
    # <warp(x), y> = <x, gradient(y)>, for the maps the stock op is most wrong on.
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(2, 2, 3, 32, 24, 3))
    angle = math.radians(degrees)
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    affine = tf.constant([[cos, -sin, 3.3, sin, cos, -2.1]] * 2, tf.float64)
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        inner = tf.reduce_sum(warp(x, affine) * y)
    gradient = tape.gradient(inner, x)
    np.testing.assert_allclose(inner, tf.reduce_sum(x * gradient), rtol=1e-12)
    z = rng.normal(size=x.shape)
    np.testing.assert_allclose(
        tf.reduce_sum(warp(tf.constant(z), affine) * y),
        tf.reduce_sum(z * gradient),
        rtol=1e-10,
    )


@pytest.mark.parametrize("far", [1e3, 1e12, -1e30])
def test_points_far_outside_are_zero(far):
    images = tf.ones([1, 1, 4, 4, 1])
    affine = tf.constant([[1.0, 0.0, far, 0.0, 1.0, far]])
    with tf.GradientTape() as tape:
        tape.watch(images)
        warped = warp(images, affine)
    np.testing.assert_array_equal(warped, np.zeros([1, 1, 4, 4, 1]))
    np.testing.assert_array_equal(tape.gradient(warped, images), warped)


def test_image_fades_to_zero_over_one_pixel():
    images = tf.ones([3, 1, 3, 3, 1])
    affine = tf.constant([[1, 0, s, 0, 1, 0] for s in (-0.25, 0.25, 1.0)], tf.float32)
    warped = warp(images, affine)[:, 0, 1, :, 0]
    np.testing.assert_array_equal(warped, [[0.75, 1, 1], [1, 1, 0.75], [1, 1, 0]])


def test_function_with_unknown_shapes_equals_eager():
    # Unknown shapes must neither fail nor warn of densified gradients.
    @tf.function(
        input_signature=[
            tf.TensorSpec([None] * 5, tf.float32),
            tf.TensorSpec([None, 6], tf.float64),
        ]
    )
    def value_and_gradient(images, affine):
        with tf.GradientTape() as tape:
            tape.watch(images)
            loss = tf.reduce_sum(warp(images, affine) ** 2)
        return loss, tape.gradient(loss, images)

    for shape in SHAPES:
        images, affine = draw_case(shape)
        images = tf.constant(images, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(images)
            loss = tf.reduce_sum(warp(images, affine) ** 2)
        gradient = tape.gradient(loss, images)
        traced_loss, traced_gradient = value_and_gradient(images, affine)
        np.testing.assert_allclose(traced_loss, loss, rtol=1e-6)
        np.testing.assert_allclose(traced_gradient, gradient, atol=1e-6)


def test_static_shape_is_kept():
    @tf.function
    def shape_of(images):
        assert warp(images, [IDENTITY] * 2).shape == (2, 3, 8, 5, 1)
        return tf.constant(0)

    shape_of(tf.zeros([2, 3, 8, 5, 1]))


def test_no_gradient_flows_to_the_map():
    images, affine = (tf.constant(v) for v in draw_case(SHAPES[0]))
    with tf.GradientTape() as tape:
        tape.watch([images, affine])
        loss = tf.reduce_sum(warp(images, affine) ** 2)
    to_images, to_affine = tape.gradient(loss, [images, affine])
    assert to_affine is None
    assert np.all(np.isfinite(to_images))


def test_gradient_repeats_bit_for_bit():
    images, affine = draw_case((10, 10, 32, 32, 3))
    images = tf.constant(images, tf.float32)

    @tf.function
    def gradient():
        with tf.GradientTape() as tape:
            tape.watch(images)
            loss = tf.reduce_sum(warp(images, affine) ** 3)
        return tape.gradient(loss, images)

    first = gradient().numpy()
    for _ in range(5):
        np.testing.assert_array_equal(gradient(), first)
