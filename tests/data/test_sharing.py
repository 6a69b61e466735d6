import hashlib

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.data.dataset import CHECKSUM, LabelledImages
from hdd_tf.data.image_rows import gather_rows, hold
from hdd_tf.data.sharing import ALONE, PartOfImages, class_sums, part_of_split
from hdd_tf.data.stored_images import StoredImages

IMAGES = np.random.default_rng(3).integers(0, 256, (10, 2, 3, 3), np.uint8)
LABELS = np.array([0, 2, 1, 0, 1, 2, 2, 0, 1, 0])
OWN = np.flatnonzero(LABELS != 1)


class Source:
    """Reads rows of the images, and notes which."""

    def __init__(self, path=None):
        self.held, self.read = [], []
        self.path = path

    def hold_rows(self, rows):
        self.held.append(rows.tolist())
        if self.path is None:
            return IMAGES[rows]
        self.path.write_bytes(IMAGES[rows].tobytes())
        shape = (len(rows), *IMAGES.shape[1:])
        return StoredImages(self.path, shape, np.arange(len(rows)))

    def read_rows(self, rows):
        self.read.append(rows.tolist())
        return IMAGES[rows]

    def images(self, own=OWN):
        return PartOfImages(IMAGES.shape, own, self.hold_rows, self.read_rows)


@pytest.mark.parametrize("on_disk", [False, True])
def test_own_rows_are_read_once_and_others_when_they_are_taken(on_disk, tmp_path):
    source = Source(tmp_path / "images" if on_disk else None)
    images = source.images()
    assert not source.held
    for rows in ([9, 0, 0], [[3, 5], [6, 1]]):
        np.testing.assert_array_equal(images[rows], IMAGES[np.array(rows)])
    assert source.held == [OWN.tolist()] and not source.read
    np.testing.assert_array_equal(images[[8, 9, 2, 8]], IMAGES[[8, 9, 2, 8]])
    assert source.read == [[2, 8]]
    part = images.select(np.array([4, 9, 5])).select(np.array([1, 2]))
    np.testing.assert_array_equal(part[:], IMAGES[[9, 5]])
    assert source.held == [OWN.tolist()] and len(source.read) == 1


@pytest.mark.parametrize("on_disk", [False, True])
def test_graphs_take_what_is_held_as_it_lies(on_disk, tmp_path):
    images = Source(tmp_path / "images" if on_disk else None).images()
    held = hold(images.select(OWN[::-1]))
    assert isinstance(held, StoredImages if on_disk else tf.Tensor)
    assert not isinstance(held, PartOfImages)
    found = gather_rows(held, tf.constant([2, 0]))
    np.testing.assert_array_equal(found, IMAGES[OWN[::-1][[2, 0]]])
    # Where some are not held, they come from where they lie.
    found = tf.function(lambda rows: gather_rows(hold(images), rows))(tf.range(10))
    np.testing.assert_array_equal(found, IMAGES)


def test_all_rows_are_an_array_like_that_of_a_single_process():
    source = Source()
    given = source.hold_rows, source.read_rows
    whole = part_of_split(LABELS, IMAGES.shape[1:], np.arange(10), *given)
    assert isinstance(whole.images, np.ndarray)
    part = part_of_split(LABELS, IMAGES.shape[1:], OWN, *given)
    assert isinstance(part.images, PartOfImages) and len(source.held) == 2
    later = part_of_split(LABELS, IMAGES.shape[1:], OWN, *given, on_disk=True)
    none = part_of_split(LABELS, IMAGES.shape[1:], np.arange(0), *given)
    assert len(source.held) == 2 and not source.read
    for each in (later, none):
        np.testing.assert_array_equal(each.images[1:4], IMAGES[1:4])


def test_a_sum_is_of_the_images_of_a_class_in_their_order():
    sums = class_sums(LabelledImages(IMAGES, LABELS), np.arange(3))
    expected = [
        hashlib.sha256(IMAGES[label == LABELS].tobytes()).hexdigest()
        for label in range(3)
    ]
    assert sums == expected
    source = Source()
    part = LabelledImages(source.images(), LABELS)
    assert class_sums(part, np.array([0, 2])) == [expected[0], expected[2]]
    assert not source.read


def test_the_checksum_of_another_process_is_taken_over():
    source = Source()
    part = LabelledImages(source.images(), LABELS)
    part.images.know(CHECKSUM, "of the chief", part.labels)
    assert part.checksum == "of the chief" and not source.held
    # That of a part is not it.
    rows = np.arange(4)
    assert (
        part.select(rows).checksum == LabelledImages(IMAGES, LABELS).take(rows).checksum
    )


def test_a_single_process_reads_all():
    assert ALONE.reads_all and ALONE.own_classes(4).tolist() == [0, 1, 2, 3]
    assert ALONE.of_chief("size", lambda: 7) == 7
