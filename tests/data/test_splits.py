import numpy as np
import pytest

from hdd_tf.data.dataset import LabelledImages
from hdd_tf.data.splits import hold_out_validation
from hdd_tf.errors import InputError


def images_of_sizes(*sizes):
    """Images whose pixel is their row, in mixed order of classes."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    labels = np.random.default_rng(0).permutation(labels)
    rows = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1)
    return LabelledImages(rows, labels)


def test_each_class_gives_its_part_and_nothing_is_lost():
    whole = images_of_sizes(10, 39, 1, 2)
    training, validation = hold_out_validation(whole, 4, 0.3, seed=5)
    assert np.bincount(validation.labels, minlength=4).tolist() == [3, 12, 0, 1]
    rows = np.concatenate([training.images.ravel(), validation.images.ravel()])
    assert sorted(rows) == list(range(52))
    for part in (training, validation):
        assert (np.diff(part.images.ravel().astype(int)) > 0).all()
        assert (part.labels == whole.labels[part.images.ravel()]).all()


@pytest.mark.parametrize("fraction", [0.1, 0.6])
def test_splits_may_take_the_memory_of_the_whole(fraction):
    whole = images_of_sizes(10, 39, 1, 22)
    expected = hold_out_validation(whole, 4, fraction, seed=5)
    found = hold_out_validation(whole, 4, fraction, seed=5, in_place=True)
    for part, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(part.images, other.images)
        np.testing.assert_array_equal(part.labels, other.labels)
        assert np.shares_memory(part.images, whole.images)


def test_one_training_image_is_left():
    training, _ = hold_out_validation(images_of_sizes(5, 2, 1), 3, 0.99, seed=0)
    assert np.bincount(training.labels).tolist() == [1, 1, 1]


def test_seed_decides():
    whole = images_of_sizes(40, 40)
    first, again, other = (
        hold_out_validation(whole, 2, 0.5, seed)[1].images for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_class_does_not_depend_on_the_others():
    whole = images_of_sizes(20, 20)
    alone = whole.take(np.flatnonzero(whole.labels == 0))
    _, of_both = hold_out_validation(whole, 2, 0.4, seed=3)
    _, of_one = hold_out_validation(alone, 1, 0.4, seed=3)
    np.testing.assert_array_equal(of_both.images[of_both.labels == 0], of_one.images)


def test_held_out_images_are_uniform():
    whole = images_of_sizes(10)
    counts = np.zeros(10)
    for seed in range(400):
        _, validation = hold_out_validation(whole, 1, 0.3, seed)
        counts[validation.images.ravel()] += 1
    # Expected 120 each, standard deviation 9.
    assert counts.sum() == 1200
    assert (np.abs(counts - 120) < 5 * 9.2).all()


def test_zero_holds_out_nothing():
    whole = images_of_sizes(3, 3)
    training, validation = hold_out_validation(whole, 2, 0.0, seed=0)
    assert training is whole
    assert validation is None


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_fraction_outside_range(fraction):
    with pytest.raises(InputError, match="0, 1"):
        hold_out_validation(images_of_sizes(3, 3), 2, fraction, seed=0)


def test_fraction_that_holds_out_nothing():
    with pytest.raises(InputError, match="no image"):
        hold_out_validation(images_of_sizes(3, 4), 2, 0.1, seed=0)
