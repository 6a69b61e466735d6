"""Windows of padded images: where they lie, and that all places are drawn."""

import numpy as np
import tensorflow as tf

from hdd_tf.augment.padded_crop import crop_padded, draw_offsets
from hdd_tf.random_keys import derive_key


def test_a_window_is_cut_out_of_each_padded_image():
    images = np.arange(1, 2 * 5 * 4 * 3 + 1, dtype=np.uint8).reshape(2, 5, 4, 3)
    padded = np.pad(images, [(0, 0), (2, 2), (2, 2), (0, 0)])
    offsets = np.array([[0, 4], [3, 1]], np.int32)
    found = crop_padded(tf.constant(images), tf.constant(offsets), 2)
    assert found.dtype == tf.uint8
    for image, (row, column), window in zip(padded, offsets, found, strict=True):
        np.testing.assert_array_equal(window, image[row : row + 5, column : column + 4])


def test_every_place_is_drawn_alike():
    offsets = draw_offsets(derive_key(0), 9000, 1).numpy()
    counts = np.bincount(3 * offsets[:, 0] + offsets[:, 1], minlength=9)
    np.testing.assert_allclose(counts, 1000, atol=120)
