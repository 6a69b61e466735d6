"""Warps and cutout against tensorflow-addons, run in an environment of its own.

Written by tests/golden/write_addons_golden.py. Values only: the gradient of Addons'
transform is wrong (tensorflow issue 127241).
"""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.augment.warp import affine_maps, warp

GOLDEN = np.load(
    pathlib.Path(__file__).parents[1] / "golden" / "addons.npz", allow_pickle=False
)
CASES = range(int(GOLDEN["num_images"]))
# Addons rounds coordinates to float32: 2e-6 pixels at 32, times a slope of up to 6.
ATOL = 2e-5


def read(case, key):
    return GOLDEN[f"image{case}_{key}"]


def maps(count, height, width, **values):
    defaults = {
        "shift_rows": np.zeros(count),
        "shift_columns": np.zeros(count),
        "mirror": np.zeros(count, bool),
        "scale_x": np.ones(count),
        "scale_y": np.ones(count),
        "angle": np.zeros(count),
    }
    return affine_maps(height, width, **(defaults | values))


def test_versions_are_recorded():
    versions = dict(line.split() for line in GOLDEN["versions"].tolist())
    assert versions["tensorflow"] == "2.15.1"
    assert versions["tensorflow-addons"] == "0.23.0"


@pytest.mark.parametrize("case", CASES)
def test_transform(case):
    images = tf.constant(read(case, "x"))
    warped = warp(images[:, None], read(case, "transform")[:, :6].astype("float64"))
    np.testing.assert_allclose(warped[:, 0], read(case, "transform_y"), atol=ATOL)


@pytest.mark.parametrize("case", CASES)
def test_rotate(case):
    images = tf.constant(read(case, "x"))
    count, height, width, _ = images.shape
    angle = read(case, "angle").astype("float64")
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = (width - 1) / 2, (height - 1) / 2
    # Addons turns pixels; ours turns the grid of an image stretched to a square.
    affine = np.stack(
        [cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y], axis=1
    )
    if height == width:
        ours = maps(count, height, width, angle=angle)
        np.testing.assert_allclose(ours, affine, atol=1e-12)
    warped = warp(images[:, None], tf.constant(affine))
    np.testing.assert_allclose(warped[:, 0], read(case, "rotate_y"), atol=ATOL)


@pytest.mark.parametrize("case", CASES)
def test_crop_is_a_translation_the_other_way(case):
    images = tf.constant(read(case, "x"))
    count, height, width, _ = images.shape
    move_x, move_y = read(case, "translation").T
    affine = maps(count, height, width, shift_rows=-move_y, shift_columns=-move_x)
    warped = warp(images[:, None], affine)
    np.testing.assert_array_equal(warped[:, 0], read(case, "translate_y"))


@pytest.mark.parametrize("case", CASES)
def test_cutout(case):
    images = tf.constant(read(case, "x"))
    count, height, width, _ = images.shape
    size, center = read(case, "cutout_size"), read(case, "cutout_center")
    first = np.maximum(center - size // 2, 0)
    last = np.minimum(center + size // 2, [height, width])
    parameters = dsa.draw([0, 0], count, height, width)._replace(
        cutout=tf.constant(np.stack([first, last], axis=2).reshape(count, 4), tf.int32)
    )
    cut = dsa.apply(images[:, None], parameters, differentiable=False)
    np.testing.assert_array_equal(cut[:, 0], read(case, "cutout_y"))
