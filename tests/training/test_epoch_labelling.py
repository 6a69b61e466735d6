"""Drawn views and their labels: the program's crops and mixing, and every batch."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.augment import cutmix, resized_crop
from hdd_tf.data.epoch_labels import EpochLabels
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.protocols.epoch_labelling import draw_views, label_epochs
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.protocols.views import ReplayedViews
from hdd_tf.random_keys import derive_key

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "gvbsm.npz"
CIFAR100 = Normalisation((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761))
PROTOCOL = TrainingProtocol(
    epochs=3, batch_size=4, loss="mse", labels="epochs", resized_crop=0.3, flip=True,
    cutmix=1.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN, allow_pickle=False) as file:
        return dict(file)


def test_crops_and_mixing_are_the_programs(golden):
    """Its crops are rounded to 8 bits; G-VBSM's program at 1ed80b0."""
    images = golden["real_uint8"][:8]
    boxes = np.rint(32 * golden["fkd_coords"]).astype(np.int16)
    crops = resized_crop.resize_boxes(
        tf.constant(images, tf.float32), boxes, 32, 32, tf.constant(golden["fkd_flip"])
    )
    rounded = golden["fkd_crop_uint8"].astype(int)
    assert np.abs(np.rint(crops) - rounded).max() <= 1
    mixed = cutmix.paste(
        tf.constant(CIFAR100.normalise(golden["fkd_crop_uint8"])),
        tf.constant(golden["cutmix_partner"], tf.int32),
        tf.constant(golden["cutmix_box"], tf.int32),
    )
    np.testing.assert_allclose(mixed.images, golden["cutmix_images"], atol=1e-5)
    # The whole of it as a set stores it.
    labels = EpochLabels(
        rows=np.arange(8, dtype=np.int32)[None],
        boxes=boxes[None],
        flips=golden["fkd_flip"][None],
        partners=golden["cutmix_partner"].astype(np.int32)[None],
        cuts=golden["cutmix_box"].astype(np.int16)[None, None],
        logits=golden["soft_logits"][None],
        batch_size=8,
    )
    views = ReplayedViews(labels, (32, 32, 3), CIFAR100.tensors())
    key, zero = derive_key(0), tf.constant(0)
    view = views.view(tf.Variable(images), tf.range(8), key, zero, zero)
    level = 1 / 255 / min(CIFAR100.std)
    np.testing.assert_allclose(view.images, mixed.images, atol=1.01 * level)
    np.testing.assert_array_equal(view.label_logits, golden["soft_logits"])


def test_soft_labels_are_mean_logits(golden):
    mean = golden["teacher_logits"].mean(axis=0)
    np.testing.assert_allclose(golden["soft_logits"], mean, rtol=1e-3, atol=1e-3)


def test_views_of_every_epoch_differ_and_a_seed_repeats_them():
    drawn = draw_views(PROTOCOL, 10, 6, 7, seed=5)
    again = draw_views(PROTOCOL, 10, 6, 7, seed=5)
    other = draw_views(PROTOCOL, 10, 6, 7, seed=6)
    for name, values in drawn.items():
        np.testing.assert_array_equal(values, again[name])
        assert (values != other[name]).any() and (values[0] != values[1]).any()
    assert drawn["cuts"].shape == (3, 3, 4)
    # Partners stay within their batch, the last of which is smaller.
    assert (np.sort(drawn["partners"][:, 8:], axis=1) == [0, 1]).all()
    plain = TrainingProtocol(epochs=1, batch_size=4, loss="mse", labels="epochs")
    drawn = draw_views(plain, 10, 6, 7, seed=5)
    assert (drawn["boxes"] == (0, 0, 6, 7)).all() and not drawn["flips"].any()
    assert not drawn["cuts"].any()


class BrightnessTeacher:
    """A teacher whose logits are the sums of an image's channels."""

    num_classes = 2

    def logits_function(self):
        return lambda images: tf.reduce_sum(images, axis=[1, 2])


def test_every_view_has_the_label_that_the_teacher_gives_it():
    images = np.random.default_rng(0).integers(0, 256, (10, 6, 7, 2)).astype(np.uint8)
    normalisation, told = Normalisation((0.5, 0.5), (0.25, 0.5)), []
    labels = label_epochs(
        BrightnessTeacher(), images, PROTOCOL, normalisation, 5, told.append
    )
    assert told == [1, 1, 1]
    views = ReplayedViews(labels, (6, 7, 2), normalisation.tensors())
    held, key = tf.Variable(images), derive_key(0)
    for epoch in range(3):
        order = views.order(key, tf.constant(epoch))
        for index, first in enumerate((0, 4, 8)):
            rows = order[first : first + 4]
            view = views.view(held, rows, key, tf.constant(epoch), index)
            sums = view.images.numpy().sum(axis=(1, 2))
            found = labels.logits[epoch, first : first + 4]
            np.testing.assert_allclose(found, sums, rtol=2e-3, atol=2e-3)


def test_views_of_mixup_cannot_be_stored():
    protocol = TrainingProtocol(
        epochs=1, loss="mse", labels="epochs", mixing="mixup", cutmix=1.0
    )
    images = np.zeros((2, 4, 4, 1), np.uint8)
    with pytest.raises(ValueError, match="views of 'mixup' cannot be stored"):
        label_epochs(
            BrightnessTeacher(), images, protocol, Normalisation((0,), (1,)), 0
        )
