import subprocess
import sys

import numpy as np
import pytest

from hdd_tf.config import Config
from hdd_tf.errors import InputError
from hdd_tf.methods.registry import METHODS
from hdd_tf.reading import loading
from hdd_tf.reading.folders.image_files import fit_image
from hdd_tf.reading.loading import (
    dataset_from_arrays,
    load_configured_dataset,
    load_dataset,
)

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 4, 5, 3)).astype(np.uint8)
LABELS = np.arange(12) % 3


def test_digits():
    dataset = load_dataset("digits", None, 0.1, seed=3)
    assert dataset.name == "digits"
    assert dataset.image_shape == (32, 32, 1)
    assert dataset.num_classes == 10
    assert len(dataset.training.labels) + len(dataset.validation.labels) == 1297
    assert len(dataset.validation.labels) == 130
    other = load_dataset("digits", None, 0.0, seed=4)
    assert other.validation is None
    # Neither the test split nor the normalisation depends on seed and fraction.
    np.testing.assert_array_equal(other.test.images, dataset.test.images)
    assert (other.mean, other.std) == (dataset.mean, dataset.std)
    normalised = other.normalise(other.training.images)
    assert abs(normalised.mean()) < 1e-4 and abs(normalised.std() - 1) < 1e-4


def test_digits_of_some_classes_and_another_size():
    whole = load_dataset("digits", None, 0.0, seed=0)
    config = Config(dataset="digits", classes="8,1,3", image_size="20x16")
    dataset = load_configured_dataset(config)
    assert dataset.label_names == ("1", "3", "8")
    assert dataset.image_shape == (20, 16, 1)
    for split in ("training", "test"):
        chosen, part = getattr(whole, split), getattr(dataset, split)
        rows = np.flatnonzero(np.isin(chosen.labels, [1, 3, 8]))
        names = [int(dataset.label_names[label]) for label in part.labels]
        assert names == chosen.labels[rows].tolist()
        expected = fit_image(chosen.images[rows[-1]], (20, 16))
        np.testing.assert_array_equal(part.images[-1], expected)
    # Its own, as no statistics of digits are published.
    assert dataset.mean != whole.mean


@pytest.mark.stress
def test_tfds_is_imported_only_when_needed():
    program = (
        "import sys; from hdd_tf.reading.loading import load_dataset; "
        "load_dataset('digits', None, 0.0, 0); "
        "sys.exit('tensorflow_datasets' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_own_tfds_set(write_set, tmp_path):
    write_set({"train": 12, "test": 6})
    dataset = load_dataset("pictures:1.0.0", str(tmp_path), 0.25, seed=0)
    assert dataset.name == "pictures"
    assert dataset.label_names == ("0", "1", "2")
    assert np.bincount(dataset.validation.labels).tolist() == [1, 1, 1]
    whole = load_dataset("pictures", str(tmp_path), 0.0, seed=0)
    np.testing.assert_allclose(
        dataset.mean, whole.training.images.mean((0, 1, 2)) / 255, rtol=1e-6
    )
    again = load_dataset("pictures", str(tmp_path), 0.0, seed=1)
    np.testing.assert_array_equal(again.training.images, whole.training.images)


def test_settings_reach_the_loader(write_set, tmp_path):
    write_set({"train": 12, "test": 6}, name="cifar100", shape=(8, 8, 3))
    config = Config(
        dataset="cifar100",
        data_dir=tmp_path,
        image_size="4",
        classes="0,2",
        validation_fraction=0.25,
        seed=5,
    )
    dataset = load_configured_dataset(config)
    assert dataset.image_shape == (4, 4, 3)
    assert dataset.label_names == ("0", "2")
    assert dataset.mean == (0.5071, 0.4866, 0.4409)
    again = load_dataset(
        "cifar100", str(tmp_path), 0.25, 5, {}, (4, 4), classes=("0", "2")
    )
    np.testing.assert_array_equal(dataset.validation.images, again.validation.images)


@pytest.mark.parametrize("name", ["svhn", "svhn_cropped"])
def test_published_normalisation_and_partial_sets(write_set, tmp_path, caplog, name):
    write_set(name="svhn_cropped", shape=(32, 32, 3), num_classes=10)
    dataset = load_dataset(name, str(tmp_path), 0.0, seed=0)
    assert dataset.name == "svhn_cropped"
    assert dataset.mean == (0.4377, 0.4438, 0.4728)
    assert "12 training and 6 test images, the published set 73257" in caplog.text


def test_a_set_of_one_class(write_set, tmp_path):
    write_set(num_classes=1, labels=[0] * 12)
    with pytest.raises(InputError, match=r"has 1 class .* at least two are needed to"):
        load_dataset("pictures", str(tmp_path), 0.0, seed=0)


def test_empty_class(write_set, tmp_path):
    write_set(num_classes=4, labels=[0, 1, 3] * 4)
    with pytest.raises(InputError, match="no training image of class 2:"):
        load_dataset("pictures", str(tmp_path), 0.0, seed=0)


def test_method_decides_cifar100s_normalisation(write_set, tmp_path):
    write_set(name="cifar100", shape=(32, 32, 3))
    stds = [
        load_dataset("cifar100", str(tmp_path), 0.0, 0, traits.normalised_as).std[0]
        for traits in map(METHODS.get, ("dm", "idm", "dance"))
    ]
    assert stds == [0.2673, 0.2023, 0.2023]


def test_another_set_under_a_published_name(write_set, tmp_path):
    write_set(name="cifar10", shape=(32, 32, 1))
    with pytest.raises(InputError, match="1 channels instead of 3"):
        load_dataset("cifar10", str(tmp_path), 0.0, seed=0)


def test_arrays():
    dataset = dataset_from_arrays(IMAGES, LABELS)
    np.testing.assert_array_equal(dataset.training.images, IMAGES)
    assert dataset.training.labels.dtype == np.int64
    assert dataset.label_names == ("0", "1", "2")
    assert dataset.validation is None
    assert dataset.test.images.shape == (0, 4, 5, 3)
    np.testing.assert_allclose(dataset.std, (IMAGES / 255).std((0, 1, 2)))


def test_arrays_with_everything():
    dataset = dataset_from_arrays(
        IMAGES, LABELS, IMAGES[:2], LABELS[:2], 0.25, 1, ["a", "b", "c"]
    )
    assert np.bincount(dataset.validation.labels).tolist() == [1, 1, 1]
    assert dataset.test.labels.tolist() == [0, 1]
    assert dataset.label_names == ("a", "b", "c")


@pytest.mark.parametrize(
    "images,labels",
    [
        (IMAGES[..., 0], LABELS),
        (IMAGES[..., :1].astype(np.float32), LABELS),
        (IMAGES[..., :1].tolist(), LABELS.tolist()),
        (IMAGES[..., :1].astype(np.int64), LABELS[:, None].astype(np.uint8)),
    ],
)
def test_arrays_in_other_forms(images, labels):
    dataset = dataset_from_arrays(images, labels)
    np.testing.assert_array_equal(dataset.training.images, IMAGES[..., :1])
    np.testing.assert_array_equal(dataset.training.labels, LABELS)


@pytest.mark.parametrize(
    "images,labels,message",
    [
        (IMAGES / 255, LABELS, r"float64 from 0 to 1: convert the 0-1 scale by \(255"),
        (np.round(IMAGES / 255), LABELS, "convert the 0-1 scale"),  # Black and white.
        (IMAGES / 2, LABELS, "must be uint8"),
        (IMAGES.astype(int) + 1, LABELS, "must be uint8"),
        (IMAGES.astype(int) - 1, LABELS, "must be uint8"),
        (np.full(IMAGES.shape, np.nan), LABELS, "images are not finite"),
        (IMAGES > 9, LABELS, "are bool"),
        (IMAGES[0, 0], LABELS, r"have shape \(5, 3\)"),
        (IMAGES[:0], LABELS[:0], "not empty"),
        (IMAGES, np.eye(3)[LABELS], r"labels.argmax\(axis=1\)"),
        (IMAGES, LABELS.astype(float), "labels must be integers"),
        (IMAGES, LABELS[:-1], "differ in number: 12 and 11"),
        (IMAGES, LABELS - 1, "label -1"),
        (IMAGES, LABELS * 2, "no training image of class 1, 3"),
        (IMAGES, LABELS * 0, r"^labels have 1 class \(0\); at least two are needed"),
        (IMAGES * np.uint8([1, 0, 1]), LABELS, "channel 1 of arrays has the same"),
    ],
)
def test_unusable_arrays(images, labels, message):
    with pytest.raises(InputError, match=message) as caught:
        dataset_from_arrays(images, labels)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "arguments,message",
    [
        ({"test_images": IMAGES}, "give both or neither"),
        ({"test_images": IMAGES[:, :2], "test_labels": LABELS}, "must have one shape"),
        ({"test_images": IMAGES, "test_labels": LABELS[1:]}, "test_images and test_l"),
        ({"test_images": IMAGES, "test_labels": LABELS + 1}, "label 3, but its 3 c"),
        ({"label_names": ["a", "b"]}, "label 2, but its 2 classes"),
        ({"label_names": "abcd"}, "no training image of class 3"),
        ({"validation_fraction": 1.0}, "validation_fraction=1.0"),
    ],
)
def test_unusable_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        dataset_from_arrays(IMAGES, LABELS, **arguments)


@pytest.mark.parametrize(
    ("dry", "keeps"), [(False, True), (True, True), (False, False)]
)
def test_who_may_keep_decoded_images(monkeypatch, dry, keeps):
    given = []
    monkeypatch.setattr(loading, "read_source", lambda *args: given.append(args[4]))
    config = Config(dataset="cifar10", data_cache="kept", dry_run=dry, run_dir="r")
    with pytest.raises(AttributeError):
        load_configured_dataset(config, keeps)
    assert given[0].value == "kept" and given[0].keeps == (keeps and not dry)
    assert (given[0].tell is print) == dry
