import dataclasses
import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from hdd_tf.artifacts.encodings import tfds_folder
from hdd_tf.artifacts.sets import distilled_set as sets
from hdd_tf.data.normalisation import whitening_of
from hdd_tf.errors import InputError
from hdd_tf.files import checksums
from tests.artifacts.full_set import full_set, random_epoch_labels, random_teacher

RNG = np.random.default_rng(3)
RECORDS = tfds_folder.RECORDS_FILE


@pytest.fixture
def directory(tmp_path, small_set):
    sets.write_distilled_set(tmp_path / "set", small_set)
    return tmp_path / "set"


def assert_same_set(first, second):
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.labels, second.labels)


def flip_byte(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 0x10
    path.write_bytes(data)


def test_reads_back_bit_for_bit(directory, small_set):
    read = sets.read_distilled_set(directory)
    assert_same_set(read, small_set)
    assert read.images.dtype == np.float32
    assert read.labels.dtype == np.int64


def test_metadata_says_how_to_use_the_images(directory):
    metadata = json.loads((directory / "hdd_tf.json").read_text("utf-8"))
    assert metadata["mean"] == [0.1, 0.25, 0.3]
    assert metadata["std"] == [0.5, 0.6, 0.7]
    assert metadata["preprocessing"].startswith(
        "networks train on (image / 255 - mean) / std"
    )
    assert metadata["value_range"] == [0, 255]
    assert metadata["values_may_lie_outside_range"] is True
    assert metadata["formation_factor"] == 1
    assert metadata["ipc"] == 2
    assert metadata["image_shape"] == [7, 5, 3]
    assert metadata["label_names"] == ["round", "a/b", "čtverec"]
    assert metadata["source"] == {"seed": 3, "curvature": -1 / 3}
    assert metadata["versions"]["tensorflow"] == tf.__version__
    # Whoever has the set can check it without our code.
    listed = set(metadata["files"])
    assert listed == {path.name for path in directory.iterdir()} - {"hdd_tf.json"}


def test_tfds_loads_it_by_its_path_in_the_order_given(directory, small_set):
    builder = tfds.builder_from_directory(directory)
    assert builder.info.features["label"].names == ["round", "a/b", "čtverec"]
    assert builder.info.splits["train"].num_examples == 6
    examples = list(builder.as_dataset(split="train"))
    np.testing.assert_array_equal([e["image"] for e in examples], small_set.images)
    np.testing.assert_array_equal([e["label"] for e in examples], small_set.labels)
    # Users shuffle files without a thought; it must not be an error.
    shuffled = builder.as_dataset(split="train", shuffle_files=True, as_supervised=True)
    assert sorted(int(label) for _, label in shuffled) == [0, 0, 1, 1, 2, 2]


def test_plain_tf_data_loads_it(directory, small_set):
    features = {
        "image": tf.io.FixedLenFeature([7, 5, 3], tf.float32),
        "label": tf.io.FixedLenFeature([], tf.int64),
    }
    records = tf.data.TFRecordDataset(str(directory / RECORDS))
    examples = [tf.io.parse_single_example(record, features) for record in records]
    np.testing.assert_array_equal([e["image"] for e in examples], small_set.images)
    np.testing.assert_array_equal([e["label"] for e in examples], small_set.labels)


def test_the_same_set_has_the_same_bytes(directory):
    # Protocol buffers do not promise the order of a record's fields unless told to.
    for record in tf.data.TFRecordDataset(str(directory / RECORDS)):
        serialised = record.numpy()
        assert 0 < serialised.index(b"image") < serialised.index(b"label")


def test_a_moved_set_still_loads(directory, tmp_path, small_set):
    moved = shutil.move(directory, tmp_path / "elsewhere")
    assert_same_set(sets.read_distilled_set(moved), small_set)
    assert len(tfds.builder_from_directory(moved).as_dataset(split="train")) == 6


def test_a_run_directory_stands_for_its_synthetic_set(tmp_path, small_set):
    sets.write_distilled_set(tmp_path / "run" / "synthetic", small_set)
    found = sets.find_distilled_set(tmp_path / "run")
    assert found == tmp_path / "run" / "synthetic"
    assert_same_set(sets.read_distilled_set(str(tmp_path / "run")), small_set)


def test_a_run_that_is_not_finished_says_how_to_go_on(tmp_path):
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    (run / "config.json").write_text("{}")
    with pytest.raises(InputError, match="is no distilled set"):
        sets.find_distilled_set(run)
    (run / "checkpoints/iteration-5.index").touch()
    with pytest.raises(InputError, match=r"not finished: .* --run_dir=") as caught:
        sets.read_distilled_set(run)
    assert "\n" not in str(caught.value)


def test_a_set_that_was_read_can_be_written_again(directory, tmp_path):
    read = sets.read_distilled_set(directory)
    other = dataclasses.replace(read, images=read.images[:4], labels=read.labels[:4])
    sets.write_distilled_set(tmp_path / "copy", other)
    again = sets.read_distilled_set(tmp_path / "copy")
    assert_same_set(again, other)
    assert again.metadata["num_images"] == 4
    assert again.metadata["source"] == read.metadata["source"]


def test_writing_replaces_a_set(directory, small_set):
    brighter = dataclasses.replace(small_set, images=small_set.images + 1)
    sets.write_distilled_set(directory, brighter)
    assert_same_set(sets.read_distilled_set(directory), brighter)
    assert [path.name for path in directory.parent.iterdir()] == ["set"]


def test_class_images_become_class_major_records(small_set):
    images = np.arange(2 * 3 * 4 * 4, dtype=np.float32).reshape(2, 3, 4, 4, 1)
    metadata = {**small_set.metadata, "mean": [0.5], "std": [0.5]}
    made = sets.DistilledSet.from_class_images(images, metadata)
    np.testing.assert_array_equal(made.labels, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(made.images[4], images[1, 1])
    logits = np.arange(2 * 3 * 3).reshape(2, 3, 3)
    made = sets.DistilledSet.from_class_images(images, metadata, logits)
    np.testing.assert_array_equal(made.label_logits[4], logits[1, 1])


DAMAGES = {
    "truncated records": (
        lambda d: (d / RECORDS).write_bytes((d / RECORDS).read_bytes()[:-100]),
        "truncated or another file",
    ),
    "flipped bit in an image": (
        lambda d: flip_byte(d / RECORDS, 1000),
        "does not match its checksum",
    ),
    "no records": (lambda d: (d / RECORDS).unlink(), f"{RECORDS} is missing"),
    "records are a text": (
        lambda d: (d / RECORDS).write_text("not a record\n"),
        "another file",
    ),
    "text of the same length": (
        lambda d: (d / RECORDS).write_bytes(b"x" * (d / RECORDS).stat().st_size),
        "does not match its checksum",
    ),
    "records are a directory": (
        lambda d: ((d / RECORDS).unlink(), (d / RECORDS).mkdir()),
        "is missing",
    ),
    "one record fewer": (
        lambda d: (d / "dataset_info.json").write_text(
            (d / "dataset_info.json").read_text().replace('"6"', '"5"')
        ),
        "does not match its checksum",
    ),
    "no label names": (lambda d: (d / "label.labels.txt").unlink(), "is missing"),
    "no metadata": (lambda d: (d / "hdd_tf.json").unlink(), "no hdd_tf.json"),
    "metadata is a text": (
        lambda d: (d / "hdd_tf.json").write_text("mean = 0.1"),
        "not JSON",
    ),
    "metadata is binary": (
        lambda d: (d / "hdd_tf.json").write_bytes(b"\xff\xfe\x00{"),
        "not JSON",
    ),
    "metadata truncated": (
        lambda d: (d / "hdd_tf.json").write_bytes(
            (d / "hdd_tf.json").read_bytes()[:-30]
        ),
        "not JSON",
    ),
    "metadata of another tool": (
        lambda d: (d / "hdd_tf.json").write_text('{"mean": [0.1]}'),
        "does not describe a distilled set",
    ),
    "metadata is a list": (
        lambda d: (d / "hdd_tf.json").write_text("[]"),
        "does not describe a distilled set",
    ),
    "another mean": (
        lambda d: (d / "hdd_tf.json").write_text(
            (d / "hdd_tf.json").read_text("utf-8").replace("0.25", "0.35"), "utf-8"
        ),
        "damaged or was edited",
    ),
    "a later format": (
        lambda d: (d / "hdd_tf.json").write_text(
            (d / "hdd_tf.json")
            .read_text("utf-8")
            .replace('"format_version": 1', '"format_version": 2'),
            "utf-8",
        ),
        "format_version 2",
    ),
    "a foreign record file": (
        lambda d: (d / "mnist-train.tfrecord-00000-of-00001").write_bytes(b""),
        "does not belong to the set",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_set_is_refused_with_one_line(directory, name):
    damage, message = DAMAGES[name]
    damage(directory)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        sets.read_distilled_set(directory)
    assert "\n" not in str(caught.value)


def test_records_of_another_shape_are_refused(directory):
    # Checksums that fit, as after a faulty writer: the records are still looked at.
    path = directory / "hdd_tf.json"
    metadata = json.loads(path.read_text("utf-8"))
    for change in ({"image_shape": [7, 5, 1]}, {"num_images": 7}, {"num_images": 5}):
        path.write_text(json.dumps(checksums.seal({**metadata, **change})), "utf-8")
        with pytest.raises(InputError, match="does not hold the images"):
            sets.read_distilled_set(directory)


def test_places_without_a_set_are_refused(tmp_path):
    (tmp_path / "file").write_text("hello")
    (tmp_path / "empty").mkdir()
    for name, message in [
        ("nowhere", "does not exist"),
        ("file", "is a file"),
        ("empty", "no hdd_tf.json in it"),
    ]:
        with pytest.raises(InputError, match=message):
            sets.read_distilled_set(tmp_path / name)


def test_other_things_are_never_written_over(directory, tmp_path, small_set):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.png").write_bytes(b"png")
    (tmp_path / "file").write_text("hello")
    # A set, but with something of the user's beside it.
    (directory / "notes.txt").write_text("mine")
    for name in ("photos", "file", "set"):
        with pytest.raises(InputError, match="holds other things"):
            sets.write_distilled_set(tmp_path / name, small_set)
    assert (tmp_path / "photos" / "me.png").read_bytes() == b"png"
    assert (directory / "notes.txt").read_text() == "mine"


def test_a_place_that_cannot_be_written_is_one_line(tmp_path, small_set):
    (tmp_path / "file").write_text("hello")
    with pytest.raises(InputError, match=r"cannot write .*: Not a directory") as caught:
        sets.write_distilled_set(tmp_path / "file" / "set", small_set)
    assert "\n" not in str(caught.value)


def test_an_interrupted_write_leaves_the_old_set(directory, small_set, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(tfds_folder, "write_tfds_metadata", interrupted)
    brighter = dataclasses.replace(small_set, images=small_set.images + 1)
    with pytest.raises(KeyboardInterrupt):
        sets.write_distilled_set(directory, brighter)
    assert_same_set(sets.read_distilled_set(directory), small_set)
    assert [path.name for path in directory.parent.iterdir()] == ["set"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros([6, 7, 5, 3])}, "float32"),
        ({"images": np.zeros([6, 7, 5], np.float32)}, "float32"),
        ({"images": np.zeros([0, 7, 5, 3], np.float32)}, "not empty"),
        ({"labels": np.zeros([6], np.int32)}, "int64"),
        ({"labels": np.zeros([5], np.int64)}, r"int64 \[6\]"),
        ({"labels": np.full([6], 3)}, r"in \[0, 3\)"),
        ({"labels": np.full([6], -1)}, r"in \[0, 3\)"),
        ({"mean": [0.5]}, "`mean` must have 3 values"),
        ({"std": [0.5] * 4}, "`std` must have 3 values"),
        ({"label_names": ["a", "a", "b"]}, "distinct"),
        ({"label_names": ["a", " ", "b"]}, "distinct"),
    ],
)
def test_parts_that_do_not_fit_are_refused(small_set, change, message):
    metadata = {**small_set.metadata}
    arrays = {key: change[key] for key in ("images", "labels") if key in change}
    metadata.update({key: change[key] for key in change if key not in arrays})
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(small_set, metadata=metadata, **arrays)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("label_logits", np.zeros([6, 2], np.float32), r"float32 \[6, 3\]"),
        ("label_logits", np.zeros([6, 3]), r"float32 \[6, 3\]"),
        ("label_logits", np.full([6, 3], np.nan, np.float32), "finite"),
        ("student_rate", float("inf"), "`student_rate` must be finite"),
        ("teacher", random_teacher((7, 5, 1), 3, 0), r"`teacher` must take \(7, 5, 3"),
        ("teacher", random_teacher((7, 5, 3), 4, 0), "of 3 classes"),
        ("whitening", whitening_of(np.eye(4, dtype="u1")[..., None, None]), "105"),
        ("epoch_labels", random_epoch_labels(RNG, 5, 7, 5, 3), "5 images"),
        ("epoch_labels", random_epoch_labels(RNG, 6, 70, 50, 3), "leaves the 7x5"),
    ],
)
def test_what_does_not_fit_the_images_is_refused(small_set, name, value, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(small_set, **{name: value})


@pytest.mark.parametrize(
    "recipe", [3, {"epochs": float("nan")}, {"a": {"b": 1}}, {"a": [[1]]}, {1: 2}]
)
def test_a_recipe_is_flat(small_set, recipe):
    with pytest.raises(ValueError, match="`recipe` must be a flat object"):
        dataclasses.replace(
            small_set, metadata={**small_set.metadata, "recipe": recipe}
        )


def test_some_images_are_taken_with_what_belongs_to_them(small_set):
    whole = full_set(small_set)
    part = whole.take(np.array([5, 0]))
    np.testing.assert_array_equal(part.images, small_set.images[[5, 0]])
    np.testing.assert_array_equal(part.labels, [2, 0])
    np.testing.assert_array_equal(part.label_logits, whole.label_logits[[5, 0]])
    assert part.teacher is whole.teacher and part.student_rate == whole.student_rate
    assert part.epoch_labels is None
    assert small_set.take(np.array([1])).label_logits is None


def test_missing_metadata_is_named(small_set):
    metadata = {k: v for k, v in small_set.metadata.items() if k != "source"}
    with pytest.raises(ValueError, match="`metadata` lacks source"):
        dataclasses.replace(small_set, metadata=metadata)


def test_metadata_of_run_takes_what_the_run_recorded():
    record = {
        "config": {"objective": "dm", "geometry": "euclidean", "seed": 5},
        "data": {"name": "d", "label_names": ["x"], "mean": [0.1], "std": [0.2]},
    }
    metadata = sets.metadata_of_run(record, iteration=40)
    assert metadata == {
        "dataset": "d",
        "label_names": ["x"],
        "mean": [0.1],
        "std": [0.2],
        "objective": "dm",
        "geometry": "euclidean",
        "formation_factor": 1,
        "iteration": 40,
        "source": record["config"],
    }
    assert "iteration" not in sets.metadata_of_run(record)
    with pytest.raises(InputError, match="not complete"):
        sets.metadata_of_run({**record, "data": None})
    with pytest.raises(InputError, match="no 'config'"):
        sets.metadata_of_run({})
