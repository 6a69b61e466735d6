"""CutMix against a loop over pixels, and its distribution."""

import pathlib

import numpy as np
import tensorflow as tf

from hdd_tf.augment import cutmix
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.random_keys import derive_key

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
IMAGES = tf.reshape(tf.range(5 * 8 * 6, dtype=tf.float32), [5, 8, 6, 1])


def test_share_is_what_each_image_kept():
    images = IMAGES.numpy()
    for seed in range(20):
        mixed = cutmix.mix(IMAGES, derive_key(seed), 1.0)
        partner = mixed.partner.numpy()
        assert sorted(partner) == list(range(5))
        for index in range(5):
            own = (mixed.images[index] == images[index]).numpy()
            foreign = (mixed.images[index] == images[partner[index]]).numpy()
            assert (own | foreign).all()
            if partner[index] != index:
                np.testing.assert_allclose(own.mean(), mixed.share, atol=1e-6)
                rows, columns = np.nonzero(~own[..., 0])
                if len(rows):  # What is foreign is one rectangle.
                    area = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
                    assert area == len(rows)


def test_probability_of_mixing():
    @tf.function
    def share(key):
        return cutmix.mix(IMAGES, key, 0.5).share

    shares = [float(share(derive_key(seed))) for seed in range(300)]
    # Half of the batches, less the few whose rectangle is empty.
    assert 0.35 < np.mean(np.array(shares) < 1) < 0.58
    # Sides are rounded down to even numbers: at most 6 of 8 rows and 4 of 6 columns.
    assert min(shares) == 0.5


def test_probability_zero_leaves_images_alone():
    for seed in range(10):
        mixed = cutmix.mix(IMAGES, derive_key(seed), 0.0)
        np.testing.assert_array_equal(mixed.images, IMAGES)
        assert float(mixed.share) == 1.0


def test_same_key_same_draw_in_a_graph():
    key = derive_key(7)
    eager = cutmix.mix(IMAGES, key, 1.0)
    graph = tf.function(lambda images: cutmix.mix(images, key, 1.0))(IMAGES)
    np.testing.assert_array_equal(eager.images, graph.images)


def test_a_given_box_is_pasted_as_in_gvbsms_program():
    golden = np.load(GOLDEN / "gvbsm.npz", allow_pickle=False)
    mean, std = (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)
    images = Normalisation(mean, std).normalise(golden["fkd_crop_uint8"])
    mixed = cutmix.paste(
        tf.constant(images),
        tf.constant(golden["cutmix_partner"], tf.int32),
        tf.constant(golden["cutmix_box"], tf.int32),
    )
    np.testing.assert_allclose(mixed.images, golden["cutmix_images"], atol=1e-5)
    np.testing.assert_allclose(mixed.share, 1 - 21 * 21 / 32**2, rtol=1e-6)


def test_boxes_are_those_of_d4ms_program():
    golden = np.load(GOLDEN / "d4m.npz", allow_pickle=False)
    images = tf.constant(golden["cutmix_images"])
    partner = tf.constant(golden["cutmix_partner"])
    for lam, (row, column, *box), mixed in zip(
        golden["cutmix_lam"],
        golden["cutmix_centre_and_box"],
        golden["cutmix_mixed"],
        strict=True,
    ):
        side = tf.constant(np.sqrt(1.0 - lam), tf.float32)
        # A place in the middle of its pixel.
        spans = [
            cutmix._span(tf.constant((centre + 0.5) / 16, tf.float32), side, 16)
            for centre in (row, column)
        ]
        found = np.array(spans).T.ravel()
        np.testing.assert_array_equal(found, box)
        pasted = cutmix.paste(images, partner, tf.constant(found, tf.int32))
        np.testing.assert_array_equal(pasted.images, mixed)
