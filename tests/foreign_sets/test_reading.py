"""Sets of other programs: the same images and labels from every kind of file."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from hdd_tf.artifacts.encodings.registry import ENCODINGS
from hdd_tf.artifacts.sets.distilled_set import DistilledSet, write_distilled_set
from hdd_tf.artifacts.sets.set_metadata import METADATA_FILE
from hdd_tf.data.dataset import LabelledImages
from hdd_tf.data.normalisation import whitening_of
from hdd_tf.errors import InputError
from hdd_tf.foreign_sets.reading import Told, read_foreign_set
from tests.foreign_sets.conftest import MEAN, NAMES, STD, normalised

ROWS = np.eye(3)[np.arange(12) % 3]


def ways(images):
    """Arrays that hold the same images, with what the line says of each."""
    unit = images / 255
    return {
        "uint8": (images, "on the scale 0-255"),
        "int64": (images.astype(np.int64), "on the scale 0-255"),
        "floats": (images.astype(np.float32), "on the scale 0-255"),
        "unit": (unit, "on the scale 0-1"),
        "unit16": (unit.astype(np.float16), "on the scale 0-1"),
        "first": (np.moveaxis(images, -1, 1), "channels first"),
        "normalised": (normalised(images), "mean 0.4914, 0.4822, 0.4465 and deviation"),
        "normalised last": (np.moveaxis(normalised(images), 1, -1), "of smooth"),
    }


@pytest.mark.parametrize("way", ways(np.zeros((1, 2, 2, 3), np.uint8)))
def test_images_of_every_scale_and_order(tmp_path, dataset, images, labels, way):
    given, said = ways(images)[way]
    np.savez_compressed(tmp_path / "set.npz", images=given, labels=labels)
    found = read_foreign_set(tmp_path / "set.npz", dataset)
    tolerance = 0.1 if way == "unit16" else 1e-4
    np.testing.assert_allclose(found.content.images, images, atol=tolerance)
    np.testing.assert_array_equal(found.content.labels, labels)
    assert found.content.metadata["ipc"] == 4 and not found.has_soft_labels
    assert said in found.described and "\n" not in found.described
    assert "12 images of 6x8x3" in found.described
    assert "4 of each of 3 classes" in found.described


def test_values_outside_the_scale_are_kept(tmp_path, dataset, images, labels):
    wide = images.astype(np.float32) * 1.1 - 10
    for factor, scale in ((1, "0-255"), (1 / 255, "0-1")):
        np.savez(tmp_path / "set.npz", images=wide * factor, labels=labels)
        found = read_foreign_set(tmp_path / "set.npz", dataset)
        np.testing.assert_allclose(found.content.images, wide, atol=1e-3)
        assert f"on the scale {scale}" in found.described


@pytest.mark.parametrize(
    "change, may_be",
    [
        (lambda x: x / 16, "on no scale known here"),  # 0-16, as scikit-learn's digits.
        (lambda x: x // 16, "on no scale known here"),
        (lambda x: x // 128, "on no scale known here"),
        (lambda x: 0.0 * x, "on no scale known here"),
        (lambda x: x * 257.0, "on no scale known here"),
        # The scales that --set_scale knows end at 255.
        (lambda x: x.astype(np.uint16) * 257, "65535 (uint16), and pixels are from 0"),
        (lambda x: (x - 128.0).astype(np.int8), "127 (int8), and pixels are from 0"),
        # By a mean and a deviation of a half, or pale and by the data set's.
        (lambda x: x / 127.5 - 1, "-1-1 or normalised"),
        # Drawn in black and white: as dark as normalised pixels, within the scale.
        (lambda x: 1.15 * (x > 150) - 0.05, "0-1 or normalised"),
    ],
)
def test_a_scale_that_is_not_plain_is_asked_for(
    tmp_path, dataset, images, labels, change, may_be
):
    dark = dataclasses.replace(dataset, mean=(0.3,) * 3, std=(0.25,) * 3)
    np.savez(tmp_path / "set.npz", images=change(images), labels=labels)
    with pytest.raises(InputError, match="by --set_scale") as caught:
        read_foreign_set(tmp_path / "set.npz", dark)
    assert f"{may_be}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("scale", ["0-1", "-1-1", "normalised"])
def test_what_is_told_counts(tmp_path, dataset, images, labels, scale):
    odd = images / 127.5 - 1
    np.savez(tmp_path / "set.npz", images=odd, labels=labels)
    found = read_foreign_set(tmp_path / "set.npz", dataset, Told(scale=scale))
    expected = {
        "0-1": odd, "-1-1": images / 255, "normalised": odd * STD + np.array(MEAN),
    }[scale]  # fmt: skip
    np.testing.assert_allclose(found.content.images, 255 * expected, atol=1e-3)
    assert "(--set_scale)" in found.described


@pytest.mark.parametrize(
    "own",
    [{"mean": np.zeros(2), "std": np.ones(2)}, {"mean": np.zeros(3)},
     {"mean": np.zeros(3), "std": np.zeros(3)}, {"mean": ["a"] * 3, "std": np.ones(3)},
     {"mean": np.full(3, np.nan), "std": np.ones(3)}],
)  # fmt: skip
def test_a_normalisation_that_cannot_be_used_is_not_passed_over(
    tmp_path, dataset, images, labels, own
):
    place = tmp_path / "set.npz"
    np.savez(place, images=normalised(images), labels=labels, **own)
    with pytest.raises(InputError, match="holds a mean or std that cannot be used"):
        read_foreign_set(place, dataset, Told(scale="normalised"))
    # It says nothing of pixels.
    np.savez(place, images=images, labels=labels, **own)
    found = read_foreign_set(place, dataset)
    np.testing.assert_array_equal(found.content.images, images)


@pytest.mark.parametrize(("mean", "std"), [(0.5, 0.25), (np.zeros(3, int), 1)])
def test_a_normalisation_of_its_own_may_be_one_number_or_whole(
    tmp_path, dataset, images, labels, mean, std
):
    values = ((images / 255 - mean) / std).astype(np.float32)
    place = tmp_path / "set.npz"
    np.savez(place, images=values, labels=labels, mean=mean, std=std)
    found = read_foreign_set(place, dataset, Told(scale="normalised"))
    np.testing.assert_allclose(found.content.images, images, atol=1e-3)


def test_names_of_classes_may_be_bytes(tmp_path, dataset, images, labels):
    names = np.array(["köter", "kätzchen", "see"])
    german = dataclasses.replace(dataset, label_names=tuple(names.tolist()))
    place = tmp_path / "set.npz"
    known = np.char.encode(names, "utf-8")
    for arrays in ({"labels": known[labels]}, {"labels": labels, "label_names": known}):
        np.savez(place, images=images, **arrays)
        found = read_foreign_set(place, german)
        np.testing.assert_array_equal(found.content.labels, labels)


def test_whitened_images_come_back(tmp_path, dataset, images, labels):
    whitening = whitening_of(dataset.training.images)
    white = dataclasses.replace(dataset, whitening=whitening)
    values = white.normalise(images)
    np.savez(tmp_path / "set.npz", images=values, labels=labels)
    found = read_foreign_set(tmp_path / "set.npz", white, Told(scale="zca"))
    np.testing.assert_allclose(found.content.images, images, atol=0.05)
    assert found.content.whitening is whitening


@pytest.mark.parametrize("names", [("x", "y"), ("arr_0", "arr_1"), ("Data", "TARGETS")])
def test_arrays_are_found_by_their_usual_names(
    tmp_path, dataset, images, labels, names
):
    arrays = dict(zip(names, (images, labels[:, None]), strict=True))
    np.savez(tmp_path / "set.npz", **arrays)
    found = read_foreign_set(tmp_path / "set.npz", dataset)
    np.testing.assert_array_equal(found.content.images, images)
    np.testing.assert_array_equal(found.content.labels, labels)


@pytest.mark.parametrize(
    "arrays, told, expected",
    [
        ({"labels": ROWS}, "auto", None),
        ({"labels": 3 * ROWS}, "hard", None),
        ({"soft_labels": 0.7 * ROWS + 0.1}, "auto", 0.7 * ROWS + 0.1),
        ({"label_logits": 3 * ROWS}, "auto", None),
        ({"labels": 3 * ROWS}, "logits", None),
        ({"labels": ROWS, "soft_labels": 0.7 * ROWS + 0.1}, "hard", None),
        ({"labels": np.array(["cat", "DOG", "Sea Lion"] * 4)}, "auto", None),
        ({"labels": ROWS.argmax(1).astype(float)}, "auto", None),
        ({"labels": np.array([name.encode() for name in NAMES] * 4)}, "auto", None),
    ],
)
def test_labels_of_every_kind(
    tmp_path, dataset, images, labels, arrays, told, expected
):
    np.savez(tmp_path / "set.npz", images=images, **arrays)
    found = read_foreign_set(tmp_path / "set.npz", dataset, Told(labels=told))
    np.testing.assert_array_equal(found.content.labels, labels)
    soft = expected is not None or told == "logits" or "label_logits" in arrays
    assert found.has_soft_labels == soft
    assert ("soft labels" in found.described) == soft
    if expected is not None:
        logits = found.content.label_logits
        probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    elif soft:
        np.testing.assert_array_equal(found.content.label_logits, 3 * ROWS)


def test_classes_in_another_order_are_renumbered(tmp_path, dataset, images, labels):
    order = np.array([2, 0, 1])  # Class k is number order[k] in the file.
    rows = 5 * np.eye(3)[order[labels]]
    np.savez(
        tmp_path / "set.npz", images=images, labels=order[labels], label_logits=rows,
        label_names=np.array(["dog", "sea lion", "cat"]),
    )  # fmt: skip
    found = read_foreign_set(tmp_path / "set.npz", dataset)
    np.testing.assert_array_equal(found.content.labels, labels)
    np.testing.assert_array_equal(found.content.label_logits, 5 * np.eye(3)[labels])


@pytest.mark.parametrize(
    "arrays, said",
    [
        ({"labels": np.arange(12) % 3 + 1}, "label 3, and the data set's classes are"),
        ({"labels": np.arange(12) % 3 + 1}, "give labels - 1 if they start at 1"),
        ({"labels": np.arange(12) % 2}, "no image of class 2 (sea lion)"),
        ({"labels": np.arange(12) % 3 - 1}, "label -1, and the data set's classes are"),
        # Numbers that int64 does not hold are told as they are.
        ({"labels": np.full(12, 2**63, np.uint64)}, f"label {2**63}, and"),
        ({"labels": np.full(12, 1e30)}, "label 1e+30, and"),
        (
            {"labels": np.array([b"\xff", b"dog", b"cat"] * 4)},
            r"not UTF-8, such as b'\xff'",
        ),
        ({"labels": np.arange(9) % 3}, "12 images and 9 labels"),
        ({"labels": np.arange(12) / 7}, "no whole numbers"),
        ({"labels": np.array(["cat", "cow"] * 6)}, "has the class 'cow'"),
        ({"labels": np.eye(4)[np.arange(12) % 4]}, "soft labels of shape (12, 4)"),
        ({"labels": 3 * ROWS}, "--set_labels=logits"),
        ({"soft_labels": ROWS * np.nan}, "no finite numbers"),
        ({"label": np.arange(12), "labels": np.arange(12)}, "both labels and label"),
        ({"y": np.array([{}] * 12)}, "as Python objects"),
        ({"others": np.arange(12)}, "no array of labels among images, others"),
        ({"y": np.arange(12) % 3, "Y": np.arange(12) % 3}, "two arrays called Y, in"),
        ({"labels": np.arange(12) % 3, "cells": "two"}, "cells that are not one whole"),
        ({"labels": np.arange(12) % 3, "cells": 1.5}, "cells that are not one whole"),
        (
            {"labels": np.arange(12) % 3, "cells": np.nan},
            "cells that are not one whole",
        ),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path, dataset, images, arrays, said):
    np.savez(tmp_path / "set.npz", images=images, **arrays)
    with pytest.raises(InputError) as caught:
        read_foreign_set(tmp_path / "set.npz", dataset)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "shape, said",
    [((12, 8, 6, 3), "images of 8x6x3, and smooth has images of 6x8x3"),
     ((12, 6, 8), "6x8, 1 channel, and those of smooth are 6x8x3, 3 channels: name"),
     ((12, 6, 8, 1), "of, or write numpy.repeat(images, 3, axis=-1)"),
     ((12, 1, 6, 8), "repeat(numpy.moveaxis(images, 1, -1), 3, axis=-1)"),
     ((12, 6, 8, 4), "6x8x4, 4 channels, and those of smooth are 6x8x3, 3 channels: "),
     ((12, 4, 6, 8), "transparency out: numpy.moveaxis(images, 1, -1)[..., :3]"),
     ((12, 6, 8, 2), "6x8x2, 2 channels, and"), ((12, 48, 3), "images of 48x3"),
     ((0, 6, 8, 3), "has images of")],
)  # fmt: skip
def test_images_of_another_shape_are_refused(tmp_path, dataset, shape, said):
    images = np.full(shape, 200, np.uint8)
    np.savez(tmp_path / "set.npz", images=images, labels=np.arange(len(images)) % 3)
    with pytest.raises(InputError) as caught:
        read_foreign_set(tmp_path / "set.npz", dataset)
    assert said in str(caught.value)


def write_folders(place, images, labels, names):
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = place / names[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number:02}.png")


@pytest.mark.parametrize(
    "names",
    [NAMES, ("Cat", "DOG", "sea_lion"), ("0", "1", "2"), ("000", "001", "002"),
     ("000_cat", "001_dog", "002_sea_lion")],
    ids=",".join,
)  # fmt: skip
def test_folders_by_name_or_number(tmp_path, dataset, images, labels, names):
    write_folders(tmp_path, images, labels, names)
    found = read_foreign_set(tmp_path, dataset).content
    order = np.argsort(labels, kind="stable")
    np.testing.assert_array_equal(found.images, images[order])
    np.testing.assert_array_equal(found.labels, labels[order])


def test_colours_of_a_gray_data_set_are_told(tmp_path, dataset, images, labels):
    gray = LabelledImages(dataset.training.images[..., :1], dataset.training.labels)
    of_gray = dataclasses.replace(
        dataset, training=gray, test=gray, mean=MEAN[:1], std=STD[:1]
    )
    write_folders(tmp_path, images, labels, NAMES)
    read = read_foreign_set(tmp_path, of_gray)
    assert "; 12 colour images read as gray" in read.described
    assert "as gray" not in read_foreign_set(tmp_path, dataset).described


def test_folders_sorted_otherwise_than_classes(tmp_path, dataset, images, labels):
    reverse = dataclasses.replace(dataset, label_names=("sea lion", "dog", "cat"))
    write_folders(tmp_path, images, labels, reverse.label_names)
    found = read_foreign_set(tmp_path, reverse).content
    order = np.argsort(labels, kind="stable")
    np.testing.assert_array_equal(found.images, images[order])
    np.testing.assert_array_equal(found.labels, labels[order])


def test_folders_that_do_not_fit_are_refused(tmp_path, dataset, images, labels):
    def said(place, data=dataset):
        with pytest.raises(InputError) as caught:
            read_foreign_set(place, data)
        return str(caught.value)

    write_folders(tmp_path / "cow", images, labels, ("cat", "dog", "cow"))
    assert "has the class 'cow'" in said(tmp_path / "cow")
    write_folders(tmp_path / "two", images, labels, ("cat", "CAT", "dog"))
    assert "two names of one class" in said(tmp_path / "two")
    write_folders(tmp_path / "few", images, labels % 2, NAMES)
    assert "no image of class 2 (sea lion)" in said(tmp_path / "few")
    write_folders(tmp_path / "size", images[:, :4], labels, NAMES)
    assert "is 4x8, and the images of smooth are 6x8" in said(tmp_path / "size")
    numbered = dataclasses.replace(dataset, label_names=("1", "2", "0"))
    write_folders(tmp_path / "numbers", images, labels, ("0", "1", "2"))
    assert "also names of other classes" in said(tmp_path / "numbers", numbered)
    (tmp_path / "empty").mkdir()
    assert "is no set that is known here" in said(tmp_path / "empty")
    assert "does not exist" in said(tmp_path / "nowhere")
    (tmp_path / "a.csv").touch()
    assert "does not end in .npz, .pt, .pth, .parquet" in said(tmp_path / "a.csv")


@pytest.fixture(scope="module")
def carried(dataset, images, labels):
    """A set of hdd_tf with soft labels, in class order."""
    order = np.argsort(labels, kind="stable")
    metadata = {
        "dataset": "smooth", "ipc": 4, "objective": "dm", "geometry": "euclidean",
        "label_names": list(NAMES), "mean": list(MEAN), "std": list(STD), "source": {},
    }  # fmt: skip
    logits = 5 * np.eye(3, dtype=np.float32)[labels[order]]
    floats = images[order].astype(np.float32)
    return DistilledSet(floats, labels[order], metadata, logits)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_our_own_encodings_without_their_description(
    tmp_path, dataset, carried, encoding
):
    place = tmp_path / "set"
    write_distilled_set(place, carried, encoding)
    (place / METADATA_FILE).unlink()
    file = next(place.glob("*.npz"), place)
    found = read_foreign_set(place if encoding == "png_folder" else file, dataset)
    np.testing.assert_allclose(found.content.images, carried.images, atol=1e-3)
    np.testing.assert_array_equal(found.content.labels, carried.labels)
    if encoding != "png_folder":
        np.testing.assert_array_equal(found.content.label_logits, carried.label_logits)


def test_images_of_several_training_images(tmp_path, dataset, images, labels):
    file = tmp_path / "set.npz"
    np.savez(file, images=images, labels=labels, cells=2)
    assert read_foreign_set(file, dataset).content.metadata["formation_factor"] == 2
    told = Told(cells=1)
    content = read_foreign_set(file, dataset, told).content
    assert content.metadata["formation_factor"] == 1
    with pytest.raises(InputError, match="9 training images along each side"):
        read_foreign_set(file, dataset, Told(cells=9))
