"""Cells in another order, against RDED's program."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.augment.cell_shuffle import permute_cells, shuffle_cells
from hdd_tf.random_keys import derive_key

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "rded.npz"


def test_cells_move_as_in_rdeds_program():
    golden = np.load(GOLDEN, allow_pickle=False)
    columns, rows = golden["shuffle_columns"], golden["shuffle_rows"]
    image = golden["shuffle_image_uint8"]
    images = tf.constant(np.stack([image] * len(columns)))
    found = permute_cells(
        images, tf.constant(columns, tf.int32), tf.constant(rows, tf.int32)
    )
    np.testing.assert_array_equal(found, golden["shuffle_images_uint8"])


def test_draws_are_uniform_for_each_image():
    # Four cells that are told apart by their value.
    image = np.kron(np.arange(4).reshape(2, 2), np.ones((3, 2)))[None, :, :, None]
    images = tf.constant(np.repeat(image, 4000, axis=0))
    shuffled = shuffle_cells(images, derive_key(0), 2).numpy()[..., 0]
    corner = shuffled[:, 0, 0]
    counts = np.bincount(corner.astype(int), minlength=4)
    assert (abs(counts - 1000) < 120).all()
    for found in shuffled[:20]:
        assert len(np.unique(found)) == 4 and (found[:3, :2] == found[0, 0]).all()


def test_a_factor_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="3 cells do not divide 4x6"):
        shuffle_cells(tf.zeros([1, 4, 6, 1]), derive_key(0), 3)
