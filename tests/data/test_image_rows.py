"""Images in memory, and tensors that share it."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hdd_tf.data.dataset import LabelledImages
from hdd_tf.data.image_rows import gather_rows, hold
from hdd_tf.data.memory import as_shareable, empty_images

SHAPES = [(5, 4, 3, 3), (1, 8, 8, 1), (6, 1, 1, 1), (0, 2, 2, 3)]


def filled(shape):
    images = empty_images(shape)
    images[...] = np.random.default_rng(3).integers(0, 256, shape)
    return images


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_tensor_has_the_images(shape):
    images = filled(shape)
    np.testing.assert_array_equal(hold(images), images)
    assert hold(images).dtype == tf.uint8 and "CPU:0" in hold(images).device


def test_a_tensor_lies_in_the_memory_of_the_array():
    images = filled((5, 4, 3, 3))
    held = hold(images)
    variable = tf.Variable(hold(images), trainable=False)
    images[3] = 7  # What nothing but a test may do.
    rows = tf.constant([3, 1])
    for values in (held, variable):
        found = tf.function(gather_rows)(values, rows)
        np.testing.assert_array_equal(found, images[[3, 1]])
    images[1] = 8
    np.testing.assert_array_equal(gather_rows(variable, rows), images[[3, 1]])


def test_a_tensor_keeps_the_memory_of_its_array():
    images = filled((5, 4, 3, 3))
    expected, held = images.copy(), hold(images)
    del images
    others = [np.ones((5, 4, 3, 3), np.uint8) for _ in range(100)]
    np.testing.assert_array_equal(held, expected)
    del others


def test_what_cannot_be_shared_is_copied():
    images = filled((6, 4, 4, 1))
    read_only = filled((6, 4, 4, 1))
    read_only.flags.writeable = False
    for each in (images[1:], images[::2], images.transpose(1, 2, 0, 3), read_only):
        np.testing.assert_array_equal(hold(each), each)
        assert not np.shares_memory(as_shareable(each), each)
    assert as_shareable(images) is images
    floats = images.astype(np.float32)
    np.testing.assert_array_equal(hold(floats), floats)


def test_rows_that_are_taken_can_be_shared():
    images = filled((6, 4, 4, 1))
    rows = np.array([5, -1, 2, 2])
    taken = LabelledImages(images, np.arange(6)).take(rows)
    np.testing.assert_array_equal(taken.images, images[rows])
    assert as_shareable(taken.images) is taken.images
    with pytest.raises(IndexError):
        LabelledImages(images, np.arange(6)).take(np.array([6]))


@pytest.mark.stress
def test_a_data_set_is_in_memory_once(tmp_path):
    side, per_class = 512, 128
    for label in range(2):
        for split, count in (("train", per_class), ("test", 1)):
            folder = tmp_path / "data" / split / str(label)
            folder.mkdir(parents=True)
            for index in range(count):
                colour = (100 * label + index, index, 2 * index)
                image = Image.new("RGB", (side, side), colour)
                image.save(folder / f"{index}.png", compress_level=1)
    program = f"""
import numpy as np
import tensorflow as tf
from hdd_tf.data.class_store import ClassStore
from hdd_tf.data.image_rows import gather_rows, hold
from hdd_tf.data.memory import peak_memory
from hdd_tf.reading.loading import load_dataset

@tf.function
def first_rows(values):
    return tf.reduce_sum(tf.cast(gather_rows(values, tf.constant([0, 1])), tf.int32))

first_rows(tf.Variable(np.ones((2, 2, 2, 3), np.uint8)))
before = peak_memory()
dataset = load_dataset({f"folder:{tmp_path / 'data'}"!r}, None, 0.25, 0)
training, validation = dataset.training, dataset.validation
store = ClassStore(training.images, training.labels, 2, dataset.normalisation)
rows, _ = store.draw_indices(tf.constant([1, 2]), 1)
store.gather(rows)
first_rows(tf.Variable(hold(training.images), trainable=False))
assert len(training.labels) == 192 and len(validation.labels) == 64
print((peak_memory() - before) / (training.images.nbytes + validation.images.nbytes))
"""
    child = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert 0.9 < float(child.stdout) < 1.3
