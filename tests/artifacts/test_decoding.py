"""Decoded sets: what networks train on."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.artifacts.sets.decoding import decode_set
from hdd_tf.artifacts.sets.distilled_set import (
    DistilledSet,
    read_distilled_set,
    write_distilled_set,
)
from hdd_tf.errors import InputError
from tests.artifacts.full_set import full_set

METADATA = {
    "dataset": "toy", "label_names": ["a", "b", "c"], "mean": [0.5], "std": [0.25],
    "objective": "idm", "geometry": "euclidean", "source": {},
}  # fmt: skip


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return rng.uniform(-20, 280, (3, 2, 7, 6, 1)).astype(np.float32)


@pytest.mark.parametrize("factor", [2, 3])
def test_cells_stay_with_their_class(images, factor):
    stored = DistilledSet.from_class_images(
        images, {**METADATA, "formation_factor": factor}
    )
    decoded = decode_set(stored)
    assert decoded.metadata["decoded"] is True and decoded.metadata["ipc"] == 2
    np.testing.assert_array_equal(
        decoded.labels, np.repeat(np.arange(3), 2 * factor**2)
    )
    # The top left cell of the second image of class 1, enlarged.
    rows, columns = -(-7 // factor), -(-6 // factor)
    cell = images[1, 1, :rows, :columns]
    expected = tf.image.resize(cell, (7, 6)).numpy()
    found = decoded.images[2 * factor**2 + 1]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert decode_set(decoded) is decoded


def test_parts_have_what_their_image_has(images):
    plain = DistilledSet.from_class_images(
        images, {**METADATA, "formation_factor": 2}, np.eye(6)[:, :3].reshape(3, 2, 3)
    )
    carried = dataclasses.replace(full_set(plain), epoch_labels=None)
    decoded = decode_set(carried)
    assert decoded.teacher is carried.teacher
    assert decoded.whitening is carried.whitening
    assert decoded.student_rate == carried.student_rate
    # The parts of an image are found by its own pixels.
    for row, image in enumerate(carried.images):
        cell = tf.image.resize(image[:4, :3], (7, 6)).numpy()
        same = [np.allclose(cell, part, atol=1e-3) for part in decoded.images]
        assert sum(same) == 1
        np.testing.assert_array_equal(
            decoded.label_logits[same.index(True)], carried.label_logits[row]
        )
    with pytest.raises(InputError, match="cannot be decoded") as caught:
        decode_set(full_set(plain))
    assert "\n" not in str(caught.value)


def test_files_of_both(images, tmp_path):
    stored = DistilledSet.from_class_images(images, {**METADATA, "formation_factor": 2})
    write_distilled_set(tmp_path / "stored", stored)
    write_distilled_set(tmp_path / "decoded", decode_set(stored))
    stored = read_distilled_set(tmp_path / "stored")
    decoded = read_distilled_set(tmp_path / "decoded")
    assert (stored.metadata["ipc"], stored.metadata["decoded"]) == (2, False)
    assert (decoded.metadata["ipc"], decoded.metadata["decoded"]) == (2, True)
    assert decoded.metadata["num_images"] == 24
    np.testing.assert_array_equal(decode_set(stored).images, decoded.images)
    assert decode_set(decoded) is decoded


def test_without_formation_nothing_changes(images):
    plain = DistilledSet.from_class_images(images, METADATA)
    assert decode_set(plain) is plain
