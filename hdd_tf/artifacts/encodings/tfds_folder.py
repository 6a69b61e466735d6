"""Labelled images as TFRecords that TFDS and plain tf.data both read.

A split is one file, so that every reader sees the records in the order of writing.
(TFDS's own `disable_shuffling` mark would promise the same, but makes
`as_dataset(shuffle_files=True)` an error.)
"""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from hdd_tf.files.plain_names import plainly_named
from hdd_tf.files.record_files import count_records

RECORDS_FILE = "distilled-train.tfrecord-00000-of-00001"
TFDS_FILES = ("dataset_info.json", "features.json", "label.labels.txt")
FILES = frozenset({RECORDS_FILE, *TFDS_FILES})


def write_records(
    directory: pathlib.Path,
    images: np.ndarray,
    labels: np.ndarray,
    label_logits: np.ndarray | None = None,
) -> None:
    """Writes images and labels into `RECORDS_FILE`.

    Args:
        directory: Directory of the file.
        images: `[n, h, w, c]` floats, or `[n]` contents of image files.
        labels: `[n]` integers.
        label_logits: `[n, C]` floats for a set with soft labels, else None.
    """
    with (
        plainly_named(directory) as plain,
        tf.io.TFRecordWriter(str(plain / RECORDS_FILE)) as writer,
    ):
        for row, (image, label) in enumerate(zip(images, labels, strict=True)):
            features = {
                "image": _feature(image),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
            }
            if label_logits is not None:
                features["label_logits"] = _feature(label_logits[row])
            example = tf.train.Example(features=tf.train.Features(feature=features))
            # Otherwise the order of image and label, and so the checksum, is random.
            writer.write(example.SerializeToString(deterministic=True))


def _feature(image: np.ndarray | bytes) -> tf.train.Feature:
    if isinstance(image, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[image]))
    return tf.train.Feature(float_list=tf.train.FloatList(value=image.ravel()))


def read_records(
    directory: pathlib.Path,
    count: int,
    image_shape: Sequence[int] | None = None,
    num_logits: int | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Reads `RECORDS_FILE`.

    Args:
        directory: Directory of the file.
        count: Number of records that the file must have.
        image_shape: `[h, w, c]` of float images; None for image files.
        num_logits: Length C of a soft label; None for sets without soft labels.

    Returns:
        `[n, h, w, c]` float32 images, or `[n]` contents of image files; `[n]` int64
        labels; `[n, C]` float32 logits, or None.

    Raises:
        ValueError: there are more or fewer records.
        tf.errors.OpError: a record is damaged or its image has another size.
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
    if num_logits is not None:
        features["label_logits"] = tf.io.FixedLenFeature([num_logits], tf.float32)
    with plainly_named(directory) as plain:
        batches = (
            tf.data.TFRecordDataset(str(plain / RECORDS_FILE))
            .batch(256)
            .map(lambda records: tf.io.parse_example(records, features))
        )
        parts = list(batches.as_numpy_iterator())
    images, labels = (
        np.concatenate([part[key] for part in parts]) for key in ("image", "label")
    )
    if num_logits is None:
        return images, labels, None
    return images, labels, np.concatenate([part["label_logits"] for part in parts])


def other_records(directory: pathlib.Path) -> list[pathlib.Path]:
    """Returns foreign files that a reader of all `*.tfrecord*` would read too."""
    found = directory.glob("*.tfrecord*")
    return [path for path in found if path.name != RECORDS_FILE]


def write_tfds_metadata(
    directory: pathlib.Path,
    image: Any,
    num_records: int,
    label_names: Sequence[str],
    description: str,
    num_logits: int | None = None,
) -> None:
    """Writes `TFDS_FILES` beside `RECORDS_FILE`, so that TFDS loads them without code.

    Args:
        directory: Directory of the records.
        image: TFDS feature of an image.
        num_records: Number of records.
        label_names: Names of the classes.
        description: Description of the set, in words.
        num_logits: Length of a soft label; None for sets without soft labels.
    """
    # Imported here because it takes seconds, and reading a set does not need it.
    import tensorflow_datasets as tfds

    features = {
        "image": image,
        "label": tfds.features.ClassLabel(names=list(label_names)),
    }
    if num_logits is not None:
        logits = tfds.features.Tensor(shape=(num_logits,), dtype=np.float32)
        features["label_logits"] = logits
    with plainly_named(directory) as plain:
        split = tfds.core.SplitInfo(
            name="train",
            shard_lengths=[num_records],
            num_bytes=(directory / RECORDS_FILE).stat().st_size,
            filename_template=tfds.core.ShardedFileTemplate(
                data_dir=plain,
                dataset_name="distilled",
                split="train",
                filetype_suffix="tfrecord",
            ),
        )
        tfds.folder_dataset.write_metadata(
            data_dir=plain,
            features=tfds.features.FeaturesDict(features),
            split_infos=[split],
            supervised_keys=("image", "label"),
            description=description,
            check_data=False,
        )
