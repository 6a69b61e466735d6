import json
import os
import signal
import types

import absl.logging
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from hdd_tf.data import memory
from hdd_tf.data.dataset import LabelledImages
from hdd_tf.data_cache.cache import DataCache
from hdd_tf.errors import InputError, InterruptedRunError
from hdd_tf.reading import tfds_reader
from hdd_tf.reading.folders.image_files import fit_image
from hdd_tf.reading.tfds_features import calling_tfds, classification_features
from hdd_tf.reading.tfds_reader import read_splits

IMAGE = tfds.features.Image(shape=(4, 4, 3))
LABEL = tfds.features.ClassLabel(num_classes=2)


def read(directory):
    builder = tfds.builder_from_directory(directory)
    source = read_splits(builder, classification_features(builder.info))
    return source.training, source.test


def test_images_and_labels_are_what_tfds_gives(write_set):
    directory = write_set({"train": 12, "test": 6})
    builder = tfds.builder_from_directory(directory)
    for split, part in zip(("train", "test"), read(directory), strict=True):
        examples = list(tfds.as_numpy(builder.as_dataset(split=split)))
        expected = np.stack([example["image"] for example in examples])
        np.testing.assert_array_equal(part.images, expected)
        assert part.images.dtype == np.uint8 and part.labels.dtype == np.int64
        assert part.labels.tolist() == [example["label"] for example in examples]


def test_order_is_that_of_the_files(write_set):
    directory = write_set(
        {"train": 100, "test": 100},  # More a file than are read at a stretch.
        num_classes=100,
        labels=list(range(100)),
        num_shards=4,
        in_order=False,
    )
    files = sorted(map(str, directory.glob("*train*")))
    assert len(files) == 4
    expected = []
    for record in tf.data.TFRecordDataset(files).as_numpy_iterator():
        example = tf.train.Example.FromString(record)
        expected += example.features.feature["label"].int64_list.value
    for _ in range(2):
        assert read(directory)[0].labels.tolist() == expected


def test_batches_of_any_size_give_the_same(write_set, monkeypatch):
    directory = write_set({"train": 11, "test": 5})
    whole = read(directory)
    monkeypatch.setattr(tfds_reader, "_BATCH_BYTES", 6 * 5 * 3 * 4)
    for part, expected in zip(read(directory), whole, strict=True):
        np.testing.assert_array_equal(part.images, expected.images)
        np.testing.assert_array_equal(part.labels, expected.labels)


def test_validation_serves_where_there_is_no_test(write_set, caplog):
    _, test = read(write_set({"train": 4, "validation": 3}))
    assert len(test.labels) == 3
    assert "validation split serves" in caplog.text


def test_test_split_is_preferred(write_set, caplog):
    _, test = read(write_set({"train": 4, "validation": 3, "test": 5}))
    assert len(test.labels) == 5
    assert "serves" not in caplog.text


@pytest.mark.parametrize(
    "splits,message",
    [
        ({"train": 4}, "only the splits train.*store_as_tfds_dataset"),
        ({"test": 4}, "no split 'train', only: test"),
    ],
)
def test_missing_splits(write_set, splits, message):
    with pytest.raises(InputError, match=message):
        read(write_set(splits))


def test_features_are_found_by_type(write_set):
    directory = write_set(
        features={"words": tfds.features.Text(), "picture": IMAGE, "kind": LABEL},
        num_classes=2,
    )
    info = tfds.builder_from_directory(directory).info
    features = classification_features(info)
    assert (features.image, features.label) == ("picture", "kind")
    assert features.shape == (4, 4, 3)
    assert features.label_names == ("0", "1")
    assert len(read(directory)[0].images) == 12


def test_supervised_keys_decide():
    info = types.SimpleNamespace(
        name="two_images",
        features=tfds.features.FeaturesDict(
            {"mask": IMAGE, "photo": IMAGE, "kind": LABEL}
        ),
        supervised_keys=("photo", "kind"),
    )
    features = classification_features(info)
    assert (features.image, features.label) == ("photo", "kind")


@pytest.mark.parametrize(
    "features,message",
    [
        ({"image": IMAGE, "words": tfds.features.Text()}, "has: image, words"),
        ({"label": LABEL}, "not an image classification set"),
        ({"a": IMAGE, "b": IMAGE, "label": LABEL}, r"images \(a, b\)"),
        ({"image": IMAGE, "fine": LABEL, "coarse": LABEL}, r"\(coarse, fine\)"),
        (
            {"image": tfds.features.Image(shape=(4, 4, 1), dtype=np.uint16)}
            | {"label": LABEL},
            "are uint16",
        ),
    ],
)
def test_unsuitable_features(write_set, features, message):
    directory = write_set(features=features, num_classes=2)
    with pytest.raises(InputError, match=message):
        classification_features(tfds.builder_from_directory(directory).info)


def test_images_of_varying_size(write_set):
    with pytest.raises(InputError, match=r"no fixed size \(None, None, 3\)"):
        read(write_set(shape=(None, None, 3)))


def test_varying_sizes_are_brought_to_one(write_set):
    directory = write_set(shape=(None, None, 3))
    builder = tfds.builder_from_directory(directory)
    source = read_splits(builder, classification_features(builder.info, (5, 4)))
    assert source.training.images.shape == (12, 5, 4, 3)
    examples = tfds.as_numpy(builder.as_dataset(split="test"))
    for example, image in zip(examples, source.test.images, strict=True):
        np.testing.assert_array_equal(image, fit_image(example["image"], (5, 4)))


def test_fixed_sizes_are_brought_to_another(write_set):
    builder = tfds.builder_from_directory(write_set())
    whole = read_splits(builder, classification_features(builder.info))
    small = read_splits(builder, classification_features(builder.info, (3, 3)))
    assert small.training.images.shape == (12, 3, 3, 3)
    for image, own in zip(small.test.images, whole.test.images, strict=True):
        np.testing.assert_array_equal(image, fit_image(own, (3, 3)))


def test_images_of_unknown_channels(write_set):
    info = types.SimpleNamespace(
        name="any_channels",
        features=tfds.features.FeaturesDict(
            {"image": tfds.features.Image(shape=(None, None, None)), "label": LABEL}
        ),
        supervised_keys=None,
    )
    with pytest.raises(InputError, match="no fixed number of channels"):
        classification_features(info, (3, 3))


@pytest.mark.parametrize("size", [None, (3, 3)])
def test_some_classes(write_set, monkeypatch, size):
    monkeypatch.setattr(tfds_reader, "_BATCH_BYTES", 6 * 5 * 3 * 5)
    builder = tfds.builder_from_directory(write_set({"train": 13, "test": 6}))
    features = classification_features(builder.info, size)
    whole, part = read_splits(builder, features), read_splits(builder, features, "02")
    assert part.label_names == ("0", "2")
    assert (part.num_training, part.num_test) == (13, 6)  # Of all classes.
    for split in ("training", "test"):
        chosen = getattr(whole, split)
        rows = np.flatnonzero(chosen.labels != 1)
        np.testing.assert_array_equal(getattr(part, split).images, chosen.images[rows])
        assert (getattr(part, split).labels * 2 == chosen.labels[rows]).all()


def test_memory_counts_the_classes_and_the_size_that_are_read(write_set, monkeypatch):
    builder = tfds.builder_from_directory(write_set({"train": 12, "test": 6}))
    features = classification_features(builder.info, (100, 90))
    needed = (8 + 4) * 100 * 90 * 3
    monkeypatch.setattr(memory, "available_memory", lambda: needed)
    read_splits(builder, features, ("0", "1"))
    with pytest.raises(InputError, match="does not fit into memory"):
        read_splits(builder, features)


def test_unlabelled_images(write_set):
    directory = write_set({"train": 4, "test": 4}, labels=[0, -1, 1, -1])
    with pytest.raises(InputError, match=r"'train' .* 2 images without.*label -1"):
        read(directory)


def record_file(directory, split="train"):
    (path,) = directory.glob(f"*-{split}.tfrecord*")
    return path


def cut_in_a_record(path):
    path.write_bytes(path.read_bytes()[:-20])


def cut_between_records(path):
    records = path.read_bytes()
    # Length (8 bytes), its checksum (4), data, its checksum (4).
    path.write_bytes(records[: 16 + int.from_bytes(records[:8], "little")])


def double(path):
    path.write_bytes(path.read_bytes() * 2)


def flip_a_byte(path):
    records = bytearray(path.read_bytes())
    records[40] ^= 255
    path.write_bytes(records)


@pytest.mark.parametrize(
    "damage",
    [cut_in_a_record, cut_between_records, double, flip_a_byte, lambda p: p.unlink()],
)
def test_damaged_records(write_set, damage):
    directory = write_set()
    damage(record_file(directory))
    with pytest.raises(InputError, match="is damaged: prepare it anew") as caught:
        read(directory)
    assert str(directory) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_description_without_counts(write_set):
    directory = write_set()
    path = directory / "dataset_info.json"
    description = json.loads(path.read_text())
    for split in description["splits"]:
        split["shardLengths"] = []
    path.write_text(json.dumps(description))
    with pytest.raises(InputError, match="is damaged: prepare it anew"):
        read(directory)


def test_what_does_not_fit_into_memory(write_set, monkeypatch):
    directory = write_set({"train": 40, "test": 10}, shape=(128, 256, 3))
    needed = (40 + 10) * 128 * 256 * 3
    monkeypatch.setattr(memory, "available_memory", lambda: needed - 1)
    monkeypatch.setattr(tfds_reader, "_read_split", None)  # Refused before reading.
    with pytest.raises(InputError, match=f"need {needed:,} bytes .*{needed - 1:,}"):
        read(directory)
    monkeypatch.undo()
    monkeypatch.setattr(memory, "available_memory", lambda: needed)
    assert len(read(directory)[0].labels) == 40


def test_errors_become_one_line():
    one_line = pytest.raises(InputError, match=r"^It failed \(two lines\)$")
    with one_line, calling_tfds("It failed"):
        raise OSError("two\n  lines")
    with pytest.raises(InputError) as caught, calling_tfds("It failed"):
        raise ValueError("word " * 1000)
    assert len(str(caught.value)) < 300


def test_interruptions_are_no_calling_tfds():
    with pytest.raises(InterruptedRunError), calling_tfds("It failed"):
        raise InterruptedRunError(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), calling_tfds("It failed"):
        raise KeyboardInterrupt


def test_warnings_of_tfds_are_not_shown(caplog):
    absl.logging.warning("before")
    with calling_tfds("It failed"):
        absl.logging.warning("inside")
    absl.logging.warning("after")
    assert [record.message for record in caplog.records] == ["before", "after"]


def test_chosen_classes_without_a_test_image_are_refused_before_reading(
    write_set, monkeypatch
):
    builder = tfds.builder_from_directory(
        write_set({"train": 12, "test": 3}, labels=[0] * 3 + [1, 2, 0] * 3)
    )
    features = classification_features(builder.info)
    monkeypatch.setattr(tfds_reader, "_read_split", None)
    with pytest.raises(InputError, match="test split of pictures has no image of --cl"):
        read_splits(builder, features, ("1", "2"))


def test_kept_splits_are_those_that_tfds_gives(
    write_set, tmp_path, monkeypatch, caplog
):
    directory = write_set({"train": 12, "test": 6}, num_shards=2, in_order=False)
    builder = tfds.builder_from_directory(directory)
    features = classification_features(builder.info)
    cache = DataCache(tmp_path / "kept")

    def parts(classes=(), **settings):
        source = read_splits(builder, features, classes, **settings)
        return [source.training.checksum, source.test.checksum, source.label_names]

    expected, expected_of_two = parts(), parts(("0", "2"))
    # Chosen classes are read from the cache, and not kept alone.
    assert parts(("0", "2"), cache=cache) == expected_of_two
    assert not (tmp_path / "kept").exists()
    assert parts(cache=cache) == expected
    with monkeypatch.context() as patch:
        for name in ("_read_split", "_read_labels"):
            patch.delattr(tfds_reader, name)
        assert parts(cache=cache) == expected
        assert parts(("0", "2"), cache=cache) == expected_of_two
    # Files of another time are other files.
    record = next(directory.glob("*train*"))
    os.utime(record, (1, 1))
    assert parts(cache=cache) == expected and "older than the files" in caplog.text


def test_labels_of_a_strangers_cache_are_checked(write_set, tmp_path):
    directory = write_set({"train": 12, "test": 6})
    builder = tfds.builder_from_directory(directory)
    features = classification_features(builder.info)
    cache = DataCache(tmp_path / "kept")
    for split, size in {"train": 12, "test": 6}.items():
        facts = tfds_reader._facts(builder, features, split)
        images = np.zeros((size, *features.shape), np.uint8)
        foreign = LabelledImages(images, np.full(size, 7))
        cache.whole(facts, lambda foreign=foreign: foreign)
    with pytest.raises(InputError, match="12 images without a class"):
        read_splits(builder, features, cache=cache)
