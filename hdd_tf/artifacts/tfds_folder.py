"""Labelled images as TFRecords that TFDS and plain tf.data both read.

One file a split, so that every reader sees the records in the order they were written.
(TFDS's own `disable_shuffling` mark would promise the same, but makes
`as_dataset(shuffle_files=True)` an error.)
"""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from hdd_tf.data.record_files import count_records

RECORDS_FILE = "distilled-train.tfrecord-00000-of-00001"
TFDS_FILES = ("dataset_info.json", "features.json", "label.labels.txt")
FILES = frozenset({RECORDS_FILE, *TFDS_FILES})


def write_records(
    directory: pathlib.Path, images: np.ndarray, labels: np.ndarray
) -> None:
    """Writes images and labels into `RECORDS_FILE`.

    Args:
        directory: Where to.
        images: `[n, h, w, c]` floats, or `[n]` contents of image files.
        labels: `[n]` integers.
    """
    with tf.io.TFRecordWriter(str(directory / RECORDS_FILE)) as writer:
        for image, label in zip(images, labels, strict=True):
            features = {
                "image": _feature(image),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            # Otherwise the order of image and label, so the checksum, is by chance.
            writer.write(example.SerializeToString(deterministic=True))


def _feature(image: np.ndarray | bytes) -> tf.train.Feature:
    if isinstance(image, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[image]))
    return tf.train.Feature(float_list=tf.train.FloatList(value=image.ravel()))


def read_records(
    directory: pathlib.Path, count: int, image_shape: Sequence[int] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Reads `RECORDS_FILE` back.

    Args:
        directory: Where it lies.
        count: How many records it must have.
        image_shape: Of float images; None of image files.

    Returns:
        `[n, h, w, c]` float32 images, or `[n]` contents of image files, and `[n]`
        int64 labels.

    Raises:
        ValueError: If there are more or fewer records.
        tf.errors.OpError: If a record is damaged or its image has another size.
    """
    if count_records(directory / RECORDS_FILE, most=count) != count:
        raise ValueError(f"not {count} records")
    of_files = image_shape is None
    features = {
        "image": tf.io.FixedLenFeature(
            [] if of_files else image_shape, tf.string if of_files else tf.float32
        ),
        "label": tf.io.FixedLenFeature([], tf.int64),
    }
    batches = (
        tf.data.TFRecordDataset(str(directory / RECORDS_FILE))
        .batch(256)
        .map(lambda records: tf.io.parse_example(records, features))
    )
    parts = list(batches.as_numpy_iterator())
    return (
        np.concatenate([part["image"] for part in parts]),
        np.concatenate([part["label"] for part in parts]),
    )


def other_records(directory: pathlib.Path) -> list[pathlib.Path]:
    """Returns files of records that a reader of all `*.tfrecord*` would read too."""
    found = directory.glob("*.tfrecord*")
    return [path for path in found if path.name != RECORDS_FILE]


def write_tfds_metadata(
    directory: pathlib.Path,
    image: Any,
    num_records: int,
    label_names: Sequence[str],
    description: str,
) -> None:
    """Writes `TFDS_FILES` beside `RECORDS_FILE`; loading then needs no code.

    Args:
        directory: Where the records lie.
        image: The TFDS feature of an image.
        num_records: How many there are.
        label_names: The classes.
        description: What the set is, in words.
    """
    # Imported here because it takes seconds, and reading a set does not need it.
    import tensorflow_datasets as tfds

    split = tfds.core.SplitInfo(
        name="train",
        shard_lengths=[num_records],
        num_bytes=(directory / RECORDS_FILE).stat().st_size,
        filename_template=tfds.core.ShardedFileTemplate(
            data_dir=directory,
            dataset_name="distilled",
            split="train",
            filetype_suffix="tfrecord",
        ),
    )
    tfds.folder_dataset.write_metadata(
        data_dir=directory,
        features=tfds.features.FeaturesDict(
            {
                "image": image,
                "label": tfds.features.ClassLabel(names=list(label_names)),
            }
        ),
        split_infos=[split],
        supervised_keys=("image", "label"),
        description=description,
        check_data=False,
    )
