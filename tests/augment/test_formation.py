"""Partition and multi-formation against the authors' programs."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.augment import formation

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def golden():
    return np.load(GOLDEN / "partition.npz", allow_pickle=False)


@pytest.mark.parametrize("case", [0, 1])
def test_partition_is_idms(golden, case):
    images = golden[f"idm{case}_x"]
    decoded = formation.decode(tf.constant(images), 2).numpy()
    # IDM's order is top left, bottom left, top right, bottom right.
    expected = golden[f"idm{case}_images"].reshape(4, *images.shape)[[0, 2, 1, 3]]
    np.testing.assert_allclose(decoded, expected.reshape(decoded.shape), atol=1e-6)


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("case", [0, 1])
def test_multi_formation_is_dances(golden, case, factor):
    images = golden[f"idm{case}_x"]
    decoded = formation.decode(tf.constant(images), factor).numpy()
    expected = golden[f"dance{case}_factor{factor}_images"]
    np.testing.assert_allclose(decoded, expected, atol=1e-6)


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("case", [0, 1])
def test_mix_start_is_dances(golden, case, factor):
    pool = tf.constant(golden[f"dance{case}_factor{factor}_mix_pool"])
    mixed = formation.compose(pool, factor, "nearest").numpy()
    np.testing.assert_array_equal(
        mixed, golden[f"dance{case}_factor{factor}_mix_images"]
    )


@pytest.mark.parametrize("case", [0, 1])
def test_bilinear_start_is_idms(golden, case):
    images = tf.constant(golden[f"idm{case}_x"])
    cells = tf.repeat(images[:, None], 4, axis=1)
    composed = formation.compose(cells, 2, "bilinear").numpy()
    small = golden[f"idm{case}_downscaled"]
    expected = np.concatenate([np.concatenate([small] * 2, 1)] * 2, 2)
    np.testing.assert_allclose(composed, expected, atol=1e-6)


def test_groups_stay_together():
    images = tf.random.stateless_uniform([3, 2, 9, 6, 1], [1, 2])
    together = formation.decode(images, 3)
    assert together.shape == (3, 18, 9, 6, 1)
    for group in range(3):
        alone = formation.decode(images[group], 3)
        np.testing.assert_array_equal(together[group], alone)


def test_padding_of_each_channel():
    images = tf.zeros([1, 5, 5, 2])
    decoded = formation.decode(images, 2, tf.constant([1.0, 2.0]))
    np.testing.assert_allclose(decoded[0, :2, :2], 0.0, atol=1e-6)
    # The last cell's lower right corner is all padding.
    np.testing.assert_allclose(decoded[3, -1, -1], [1.0, 2.0], atol=1e-6)


def test_gradient_matches_finite_differences():
    images = np.random.default_rng(0).normal(size=(2, 5, 4, 1)).astype(np.float32)
    cotangent = tf.random.stateless_normal([18, 5, 4, 1], [3, 4])
    (theoretical,), (numeric,) = tf.test.compute_gradient(
        lambda x: tf.reduce_sum(formation.decode(x, 3) * cotangent), [images], 1e-2
    )
    np.testing.assert_allclose(theoretical, numeric, atol=2e-3)
