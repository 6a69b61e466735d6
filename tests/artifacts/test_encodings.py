"""Every encoding gives back what it was given, as exactly as it promises."""

import dataclasses
import itertools
import json

import numpy as np
import pytest

from hdd_tf.artifacts.encodings import pixels, png_folder
from hdd_tf.artifacts.encodings.registry import ENCODINGS
from hdd_tf.artifacts.sets.decoding import decode_set
from hdd_tf.artifacts.sets.distilled_set import (
    DistilledSet,
    is_distilled_set,
    read_distilled_set,
    write_distilled_set,
)
from hdd_tf.errors import InputError
from tests.artifacts.full_set import EXTRAS, assert_same_extras, full_set

LOSSLESS = ("float32", "npz")
EIGHT_BITS = ("png", "png_folder")
FOREIGN_TO_IT = {"teacher", "images", "epoch_labels.npz", "whitening.npz"}
# Shape of an image, and how many there are of each class, in an order of their own.
SETS = {
    "gray": ([8, 8, 1], [0, 0, 1, 1]),
    "colour, not square": ([7, 5, 3], [0, 0, 1, 1, 2, 2]),
    "uneven classes": ([4, 9, 3], [0, 1, 1, 1, 2]),
    "no image of a class": ([4, 4, 1], [0, 2, 2]),
    "mixed classes": ([3, 4, 3], [2, 0, 1, 0, 2]),
    "one pixel": ([1, 1, 1], [1]),
}


def make_set(shape, labels, **metadata):
    images = np.random.default_rng(0).normal(127, 150, [len(labels), *shape])
    images.ravel()[0] = -40.25
    channels = shape[-1]
    return DistilledSet(
        images=images.astype(np.float32),
        labels=np.array(labels, np.int64),
        metadata={
            "dataset": "shapes",
            "label_names": ["round", "a/b", "čtverec"],
            "mean": [0.1, 0.25, 0.3][:channels],
            "std": [0.5, 0.6, 0.7][:channels],
            "objective": "dm",
            "geometry": "hyperbolic",
            "source": {"seed": 3},
            **metadata,
        },
    )


def rounded_by_hand(images):
    """Clips and rounds value by value; Python's round also takes ties to even."""
    values = [round(min(max(float(value), 0), 255)) for value in images.ravel()]
    return np.array(values, np.float32).reshape(images.shape)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", SETS)
def test_round_trip(tmp_path, name, encoding):
    written = make_set(*SETS[name])
    write_distilled_set(tmp_path / "set", written, encoding)
    assert is_distilled_set(tmp_path / "set")
    read = read_distilled_set(tmp_path / "set")
    images, labels = written.images, written.labels
    if encoding in ("png_folder", "dd_ranking"):
        order = sorted(range(len(labels)), key=lambda row: labels[row])
        images, labels = images[order], labels[order]
    np.testing.assert_array_equal(read.labels, labels)
    assert read.images.dtype == np.float32
    if encoding in LOSSLESS:
        np.testing.assert_array_equal(read.images, images)
    elif encoding in EIGHT_BITS:
        np.testing.assert_array_equal(read.images, rounded_by_hand(images))
    else:
        np.testing.assert_allclose(read.images, images, rtol=1e-5, atol=1e-3)
    assert read.metadata["encoding"] == encoding
    for key in ("label_names", "mean", "std", "source", "formation_factor"):
        assert read.metadata[key] == {**written.metadata, "formation_factor": 1}[key]
    may_lie_outside = encoding not in EIGHT_BITS
    assert read.metadata["values_may_lie_outside_range"] is may_lie_outside
    found = {
        path.relative_to(tmp_path / "set").as_posix()
        for path in (tmp_path / "set").rglob("*")
        if path.is_file()
    }
    assert found == {*read.metadata["files"], "hdd_tf.json"}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_set_that_carries_everything(tmp_path, encoding):
    written = full_set(make_set(*SETS["mixed classes"]))
    if encoding == "dd_ranking":
        with pytest.raises(InputError, match="take another encoding"):
            write_distilled_set(tmp_path / "set", written, encoding)
        written = dataclasses.replace(written, whitening=None)
    write_distilled_set(tmp_path / "set", written, encoding)
    assert is_distilled_set(tmp_path / "set")
    read = read_distilled_set(tmp_path / "set")
    # What belongs to an image still does, in whatever order the images are kept.
    labels = list(written.labels)
    order = list(range(len(labels)))
    if encoding in ("png_folder", "dd_ranking"):
        order.sort(key=lambda row: labels[row])
    expected = written.take(np.array(order))
    rows = written.epoch_labels.rows
    renumbered = np.array([[order.index(row) for row in epoch] for epoch in rows])
    of_order = dataclasses.replace(
        written.epoch_labels, rows=renumbered.astype(np.int32)
    )
    assert_same_extras(read, dataclasses.replace(expected, epoch_labels=of_order))
    np.testing.assert_array_equal(
        read.labels[read.epoch_labels.rows], written.labels[rows]
    )
    whitened = written.whitening is not None
    assert ("vectors" in read.metadata["preprocessing"]) == whitened
    if encoding == "npz":  # Another encoding takes all of it along.
        write_distilled_set(tmp_path / "again", read, "float32")
        assert_same_extras(read_distilled_set(tmp_path / "again"), read)
    # A plain set leaves nothing of it.
    plain = dataclasses.replace(read, **dict.fromkeys(EXTRAS))
    write_distilled_set(tmp_path / "set", plain, encoding)
    read = read_distilled_set(tmp_path / "set")
    assert not read.metadata.keys() & {*EXTRAS, "soft_labels"}
    assert all(getattr(read, name) is None for name in EXTRAS)
    assert not [path for path in tmp_path.glob("set/*") if path.name in FOREIGN_TO_IT]


def test_rounding_clips_and_takes_ties_to_even():
    values = [-0.6, -0.5, 0.5, 1.5, 2.5, 2.4999, 254.5, 255.4, 255.5, 300, -300, 7]
    expected = [0, 0, 0, 2, 2, 2, 254, 255, 255, 255, 0, 7]
    images = np.array(values, np.float32).reshape(1, 3, 4, 1)
    rounded = pixels.to_uint8(images)
    assert rounded.dtype == np.uint8
    np.testing.assert_array_equal(rounded.ravel(), expected)


def test_rounding_is_described(tmp_path):
    written = make_set([8, 8, 1], [0, 1, 2])
    values = written.images.ravel()
    outside = sum(1 for value in values if value < 0 or value > 255) / len(values)
    assert outside > 0.1
    write_distilled_set(tmp_path / "png", written, "png")
    read = read_distilled_set(tmp_path / "png")
    said = read.metadata["quantisation"]
    assert said["clipped_fraction"] == pytest.approx(outside, abs=1e-6)
    assert "ties to even" in said["rounding"]
    # Another export of the same pixels does not make them look as if never clipped.
    for encoding in ("npz", "png_folder"):
        write_distilled_set(tmp_path / encoding, read, encoding)
        again = read_distilled_set(tmp_path / encoding)
        assert again.metadata["quantisation"] == said
    # Other images are rounded for themselves.
    other = dataclasses.replace(read, images=read.images / 2 + 0.25)
    write_distilled_set(tmp_path / "other", other, "png")
    metadata = read_distilled_set(tmp_path / "other").metadata
    assert metadata["quantisation"]["clipped_fraction"] == 0


@pytest.mark.parametrize("encoding", EIGHT_BITS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_pixel_is_refused(tmp_path, encoding, value):
    written = make_set([4, 4, 1], [0, 1])
    written.images[1, 2, 2] = value
    with pytest.raises(InputError, match="not finite"):
        write_distilled_set(tmp_path / "set", written, encoding)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("encoding", EIGHT_BITS)
def test_png_of_two_channels_is_refused(tmp_path, encoding):
    with pytest.raises(InputError, match="1 or 3 channels, not 2"):
        write_distilled_set(tmp_path / "set", make_set([4, 4, 2], [0]), encoding)


@pytest.mark.parametrize("encoding", LOSSLESS)
def test_two_channels_are_kept_where_they_can_be(tmp_path, encoding):
    written = make_set([4, 4, 2], [0])
    write_distilled_set(tmp_path / "set", written, encoding)
    read = read_distilled_set(tmp_path / "set")
    np.testing.assert_array_equal(read.images, written.images)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_decoded_images_of_multi_formation(tmp_path, encoding):
    stored = make_set([6, 8, 3], [0, 0, 1, 2], formation_factor=2)
    decoded = decode_set(stored)
    write_distilled_set(tmp_path / "decoded", decoded, encoding)
    read = read_distilled_set(tmp_path / "decoded")
    assert len(read.images) == 16
    assert read.metadata["decoded"] is True
    assert read.metadata["formation_factor"] == 2
    np.testing.assert_array_equal(read.labels, np.repeat([0, 1, 2], [8, 4, 4]))
    # Decoding is done, wherever the set goes from here.
    assert decode_set(read) is read
    expected = decoded.images
    if encoding in EIGHT_BITS:
        expected = rounded_by_hand(expected)
    np.testing.assert_allclose(read.images, expected, rtol=1e-5, atol=1e-3)
    if encoding == "dd_ranking":
        return
    write_distilled_set(tmp_path / "stored", stored, encoding)
    read = decode_set(read_distilled_set(tmp_path / "stored"))
    if encoding in LOSSLESS:
        np.testing.assert_array_equal(read.images, decoded.images)
    else:
        assert len(read.images) == 16


def test_dd_ranking_does_not_take_several_images_in_one(tmp_path):
    stored = make_set([6, 8, 3], [0, 1], formation_factor=2)
    with pytest.raises(InputError, match="--images=decoded"):
        write_distilled_set(tmp_path / "set", stored, "dd_ranking")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_same_set_same_bytes(tmp_path, encoding):
    for name in ("first", "second"):
        write_distilled_set(tmp_path / name, make_set([5, 4, 3], [1, 0]), encoding)
    first, second = (
        json.loads((tmp_path / name / "hdd_tf.json").read_text("utf-8"))
        for name in ("first", "second")
    )
    # dataset_info.json of TFDS holds no time either.
    assert first["files"] == second["files"]


@pytest.mark.parametrize(
    ("first", "second"), list(itertools.pairwise([*ENCODINGS, "float32"]))
)
def test_any_encoding_replaces_any_other(tmp_path, first, second):
    write_distilled_set(tmp_path / "set", make_set([4, 5, 1], [0, 2]), first)
    read = read_distilled_set(tmp_path / "set")
    write_distilled_set(tmp_path / "set", read, second)
    again = read_distilled_set(tmp_path / "set")
    assert again.metadata["encoding"] == second
    # What only the first encoding had to say is gone with it.
    has_layout = second in ("png_folder", "npz", "dd_ranking")
    assert ("layout" in again.metadata) == has_layout
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_an_unknown_encoding_is_refused(tmp_path):
    with pytest.raises(InputError, match="'jpg': take one of float32, png, "):
        write_distilled_set(tmp_path / "set", make_set([4, 4, 1], [0]), "jpg")


def test_folders_of_classes_cannot_lead_anywhere():
    names = [
        "../../etc", "/abs", "a/b", "a\\b", "..", ".", ".hidden", "tab\there", "nul\0",
        "čtverec", "猫", "Ünïcode name", "x" * 300, "con:*?", "a-b_c", "-rf",
    ]  # fmt: skip
    folders = png_folder.class_folders(names)
    assert folders[:6] == ["000_etc", "001_abs", "002_a_b", "003_a_b", "004", "005"]
    assert folders[9:12] == ["009_ctverec", "010", "011_Unicode_name"]
    for folder in folders:
        assert set(folder) <= set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
        )
        assert len(folder) <= 44
    # Readers number classes by the order of their folders.
    assert sorted(folders) == folders
    many = png_folder.class_folders([str(name) for name in range(1200)])
    assert sorted(many) == many
    assert many[1000] == "1000_1000"


def test_hostile_class_names_stay_inside(tmp_path):
    names = ["../../up", "a\0b\n", "."]
    written = make_set([4, 4, 1], [0, 1, 2], label_names=names)
    write_distilled_set(tmp_path / "set", written, "png_folder")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    metadata = read_distilled_set(tmp_path / "set").metadata
    assert metadata["label_names"] == names
    assert list(metadata["layout"]["folders"].values()) == names


def test_dd_ranking_has_what_the_benchmark_trains_on(tmp_path):
    written = make_set([3, 4, 3], [2, 0, 1, 0], dataset="cifar100")
    write_distilled_set(tmp_path / "set", written, "dd_ranking")
    arrays = np.load(tmp_path / "set" / "dd_ranking.npz")
    np.testing.assert_array_equal(arrays["labels"], [0, 0, 1, 2])
    # It normalises its test images of CIFAR-100 with CIFAR-10's constants.
    mean, std = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
    for place, row in enumerate([1, 3, 2, 0]):
        for channel in range(3):
            own = written.images[row, :, :, channel].astype(np.float64)
            np.testing.assert_allclose(
                arrays["images"][place, channel],
                (own / 255 - mean[channel]) / std[channel],
                rtol=1e-6,
                atol=1e-6,
            )
    said = json.loads((tmp_path / "set" / "hdd_tf.json").read_text())["layout"]
    assert said["mean"] == list(mean)
    # Its evaluator of soft labels takes logits, and the rate.
    soft = dataclasses.replace(
        written, label_logits=np.eye(4, 3, dtype=np.float32), student_rate=0.02
    )
    write_distilled_set(tmp_path / "soft", soft, "dd_ranking")
    arrays = np.load(tmp_path / "soft" / "dd_ranking.npz")
    np.testing.assert_array_equal(
        arrays["label_logits"], np.eye(4, 3)[[1, 3, 2, 0]].astype(np.float32)
    )
    said = json.loads((tmp_path / "soft" / "hdd_tf.json").read_text())["layout"]
    assert "arrays['label_logits']" in said["usage"] and "syn_lr=0.02)" in said["usage"]
    # Data sets that it does not know keep their own.
    write_distilled_set(tmp_path / "own", make_set([3, 4, 3], [0]), "dd_ranking")
    arrays = np.load(tmp_path / "own" / "dd_ranking.npz")
    np.testing.assert_allclose(arrays["std"], [0.5, 0.6, 0.7], rtol=1e-6)
