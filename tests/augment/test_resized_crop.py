"""Random resized crops: resizing against the published programs, and the draws."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.augment import resized_crop
from hdd_tf.random_keys import derive_key

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "rded.npz"


def resize_line(line, wanted):
    """One line of pixels, one output pixel at a time, in float64."""
    scale = len(line) / wanted
    reach = max(1.0, scale)
    found = []
    for index in range(wanted):
        centre = scale * (index + 0.5)
        weights = [
            max(0.0, 1 - abs(p + 0.5 - centre) / reach) for p in range(len(line))
        ]
        found.append(sum(w * v for w, v in zip(weights, line, strict=True)))
        found[-1] = found[-1] / sum(weights)
    return np.array(found)


def resize(image, height, width):
    tall = np.apply_along_axis(resize_line, 0, image, height)
    return np.apply_along_axis(resize_line, 1, tall, width)


def test_crops_of_a_photograph_are_those_of_rded():
    golden = np.load(GOLDEN, allow_pickle=False)
    photo = golden["photo_uint8"].astype(np.float32) / 255
    boxes = golden["photo_boxes"]
    images = tf.constant(np.stack([photo] * len(boxes)))
    found = resized_crop.resize_boxes(images, boxes, 16, 16)
    np.testing.assert_allclose(found, golden["photo_crops"], atol=1e-5)
    flat = golden["photo_flat_box"][None]
    found = resized_crop.resize_boxes(images[:1], flat, 32, 32)
    np.testing.assert_allclose(found, golden["photo_flat_crop"], atol=1e-5)


@pytest.mark.parametrize("size", [(5, 3), (12, 20), (9, 11)])
def test_resizing_is_that_of_a_loop_over_pixels(size):
    rng = np.random.default_rng(0)
    images = rng.random((3, 9, 11, 2)).astype(np.float32)
    boxes = np.array([[0, 0, 9, 11], [2, 3, 5, 8], [8, 10, 1, 1]])
    flips = np.array([False, True, True])
    found = tf.function(resized_crop.resize_boxes)(images, boxes, *size, flips)
    for index, (top, left, height, width) in enumerate(boxes):
        part = images[index, top : top + height, left : left + width]
        expected = resize(part.astype(np.float64), *size)
        expected = expected[:, ::-1] if flips[index] else expected
        np.testing.assert_allclose(found[index], expected, atol=1e-6)


def test_the_whole_image_at_its_size_is_itself():
    images = np.random.default_rng(1).random((2, 7, 5, 3)).astype(np.float32)
    boxes = np.array([[0, 0, 7, 5]] * 2)
    found = resized_crop.resize_boxes(images, boxes, 7, 5)
    np.testing.assert_array_equal(found, images)
    flipped = resized_crop.resize_boxes(images, boxes, 7, 5, np.array([True, False]))
    expected = np.stack([images[0, :, ::-1], images[1]])
    np.testing.assert_array_equal(flipped, expected)
    np.testing.assert_array_equal(
        resized_crop.flip_images(images, np.array([True, False])), expected
    )


def test_draws_lie_in_the_image_and_have_the_shares_asked_for():
    boxes = resized_crop.draw_boxes(derive_key(0), 20_000, 40, 30, 0.25).numpy()
    top, left, height, width = boxes.T
    assert boxes.dtype == np.int32 and (boxes >= 0).all()
    assert (top + height <= 40).all() and (left + width <= 30).all()
    share = height * width / 1200
    # Rounding of both sides aside.
    assert 0.22 < share.min() < 0.26 and share.max() > 0.9
    ratio = width / height
    assert 0.7 < ratio.min() < 0.78 and 1.3 < ratio.max() < 1.41
    # Small crops come as often as their range is long: what fits is uniform.
    small = share[share < 0.5]
    assert abs(small.mean() - 0.375) < 0.01
    # Corners are uniform where there is room.
    room = height == 20
    assert abs((top[room] / 20).mean() - 0.5) < 0.05
    assert {0, 20} <= set(top[room])
    again = resized_crop.draw_boxes(derive_key(0), 20_000, 40, 30, 0.25)
    np.testing.assert_array_equal(boxes, again)
    other = resized_crop.draw_boxes(derive_key(1), 20_000, 40, 30, 0.25)
    assert not np.array_equal(boxes, other)


def test_what_never_fits_is_the_centre():
    # All of a square can be cut in one way only; a long image in none.
    boxes = resized_crop.draw_boxes(derive_key(0), 500, 32, 32, 1.0)
    assert (boxes.numpy() == (0, 0, 32, 32)).all()
    boxes = resized_crop.draw_boxes(derive_key(0), 50, 10, 90, 1.0)
    assert (boxes.numpy() == (0, 38, 10, 13)).all()
    boxes = resized_crop.draw_boxes(derive_key(0), 50, 90, 10, 1.0)
    assert (boxes.numpy() == (38, 0, 13, 10)).all()


def test_half_of_the_images_are_mirrored():
    flips = resized_crop.draw_flips(derive_key(3), 4000).numpy()
    assert abs(flips.mean() - 0.5) < 0.03
