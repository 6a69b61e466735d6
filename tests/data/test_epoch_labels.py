"""Stored labels of every epoch: what fits together, and what is refused."""

import dataclasses

import numpy as np
import pytest

from hdd_tf.data.epoch_labels import EpochLabels


@pytest.fixture
def labels():
    rng = np.random.default_rng(0)
    # 5 images in batches of 2: the last batch is of one.
    return EpochLabels(
        rows=np.stack([rng.permutation(5) for _ in range(3)]).astype(np.int32),
        boxes=np.tile(np.array([1, 0, 7, 8], np.int16), (3, 5, 1)),
        flips=rng.random((3, 5)) < 0.5,
        partners=np.tile(np.array([1, 0, 0, 1, 0], np.int32), (3, 1)),
        cuts=np.tile(np.array([0, 2, 8, 8], np.int16), (3, 3, 1)),
        logits=rng.normal(size=(3, 5, 4)).astype(np.float16),
        batch_size=2,
    )


def test_sizes_are_read_off(labels):
    assert (labels.num_epochs, labels.num_images, labels.num_classes) == (3, 5, 4)
    assert labels.num_batches == 3
    labels.check_images(5, 8, 8, 4)


def changed(array, place, value):
    array = array.copy()
    array[place] = value
    return array


@pytest.mark.parametrize(
    "name, change, said",
    [
        ("rows", lambda a: changed(a, (1, 0), a[1, 1]), "must hold 0, ..., 4 once"),
        ("rows", lambda a: a.astype(np.int64), "`rows` must be int32"),
        ("rows", lambda a: a[:0], "not empty"),
        ("boxes", lambda a: changed(a, (0, 0, 0), -1), "`boxes` must begin at"),
        ("boxes", lambda a: changed(a, (2, 4, 3), 0), "`boxes` must begin at"),
        ("boxes", lambda a: a[:2], r"`boxes` must be .*\(3, 5, 4\)"),
        ("flips", lambda a: a.astype(np.uint8), "`flips` must be bool"),
        ("partners", lambda a: changed(a, (0, 1), 2), "`partners` must be places"),
        # The last batch has one image only.
        ("partners", lambda a: changed(a, (0, 4), 1), "`partners` must be places"),
        ("partners", lambda a: changed(a, (0, 0), -1), "`partners` must be places"),
        ("cuts", lambda a: a[:, :2], r"`cuts` must be .*\(3, 3, 4\)"),
        ("cuts", lambda a: changed(a, (0, 0, 0), -1), "`cuts` must not be negative"),
        ("logits", lambda a: changed(a, (0, 0, 0), np.inf), "`logits` must be finite"),
        ("logits", lambda a: a[..., :0], "`logits` must be float16"),
        ("logits", lambda a: a[0], "`logits` must be float16"),
        ("batch_size", lambda a: 0, "`batch_size` >= 1"),
        ("batch_size", lambda a: 3, "`cuts` must be"),
    ],
)
def test_what_does_not_fit_is_refused(labels, name, change, said):
    with pytest.raises(ValueError, match=said):
        dataclasses.replace(labels, **{name: change(getattr(labels, name))})


@pytest.mark.parametrize(
    "arguments, said",
    [
        ((6, 8, 8, 4), "of 5 images of 4 classes, the set has 6 of 4"),
        ((5, 8, 8, 3), "the set has 5 of 3"),
        ((5, 7, 8, 4), "leaves the 7x8 images"),
        ((5, 8, 7, 4), "leaves the 8x7 images"),
    ],
)
def test_labels_of_another_set_are_refused(labels, arguments, said):
    with pytest.raises(ValueError, match=said):
        labels.check_images(*arguments)
