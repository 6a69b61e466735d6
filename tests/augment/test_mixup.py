"""MixUp against its definition, and its distribution."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.augment import mixup
from hdd_tf.random_keys import derive_key

IMAGES = tf.random.stateless_uniform([5, 4, 3, 2], [0, 1])


def test_images_are_weighted_means():
    shares = set()
    for seed in range(20):
        mixed = mixup.mix(IMAGES, derive_key(seed), 1.0, 0.8)
        share, partner = float(mixed.share), mixed.partner.numpy()
        assert sorted(partner) == list(range(5))
        expected = share * IMAGES.numpy() + (1 - share) * IMAGES.numpy()[partner]
        np.testing.assert_allclose(mixed.images, expected, atol=1e-6)
        shares.add(share)
    assert len(shares) == 20


@pytest.mark.parametrize("alpha", [0.2, 0.8, 4.0])
def test_shares_have_the_moments_of_beta(alpha):
    draw = tf.function(lambda key: mixup.mix(IMAGES, key, 1.0, alpha).share)
    shares = np.array([draw(derive_key(seed)) for seed in range(1500)])
    variance = 1 / (4 * (2 * alpha + 1))
    assert abs(shares.mean() - 0.5) < 5 * np.sqrt(variance / 1500)
    np.testing.assert_allclose(shares.var(), variance, rtol=0.15)


def test_probability_zero_leaves_images_alone():
    mixed = mixup.mix(IMAGES, derive_key(0), 0.0, 0.8)
    np.testing.assert_array_equal(mixed.images, IMAGES)
    assert mixed.share == 1.0


def test_a_tiny_alpha_is_finite():
    shares = [
        float(mixup.mix(IMAGES, derive_key(s), 1.0, 1e-3).share) for s in range(9)
    ]
    assert np.isfinite(shares).all()
