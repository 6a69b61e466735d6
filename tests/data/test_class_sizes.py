import numpy as np

from hdd_tf.data.class_sizes import warn_of_fewer, warn_of_small_classes

NAMES = ("cat", "dog", "cow")


def test_classes_of_one_image_and_untested_ones_are_named(caplog):
    warn_of_small_classes(np.array([0, 1, 1, 2]), np.array([0, 2]), NAMES)
    one, untested = (record.message for record in caplog.records)
    assert one.startswith("2 classes (cat, cow): one training image only")
    assert untested.startswith("1 class (dog): no test image")


def test_nothing_is_said_of_large_classes_and_without_a_test_split(caplog):
    warn_of_small_classes(np.array([0, 0, 1, 1, 2, 2]), np.zeros(0, int), NAMES)
    warn_of_fewer(np.array([0, 0, 1, 1, 2, 2]), NAMES, 2)
    assert not caplog.records


def test_classes_with_fewer_images_than_are_made_are_named(caplog):
    names = [f"class {index}" for index in range(7)]
    warn_of_fewer(np.array([0, 0]), names, 2)
    (record,) = caplog.records
    assert record.message.startswith("6 classes (class 1, class 2, ")
    assert record.message.endswith(", ...): fewer training images than --ipc=2.")
