"""Labelled float images as TFRecords that TFDS and plain tf.data both read.

One file a split, so that every reader sees the records in the order they were written.
(TFDS's own `disable_shuffling` mark would promise the same, but makes
`as_dataset(shuffle_files=True)` an error.)
"""

import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

RECORDS_FILE = "distilled-train.tfrecord-00000-of-00001"
TFDS_FILES = ("dataset_info.json", "features.json", "label.labels.txt")


def write_records(
    directory: pathlib.Path, images: np.ndarray, labels: np.ndarray
) -> None:
    """Writes `[n, h, w, c]` float images and `[n]` labels into `RECORDS_FILE`."""
    with tf.io.TFRecordWriter(str(directory / RECORDS_FILE)) as writer:
        for image, label in zip(images, labels, strict=True):
            features = {
                "image": tf.train.Feature(
                    float_list=tf.train.FloatList(value=image.ravel())
                ),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            # Otherwise the order of image and label, so the checksum, is by chance.
            writer.write(example.SerializeToString(deterministic=True))


def read_records(
    directory: pathlib.Path, image_shape: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Reads `RECORDS_FILE` back.

    Returns:
        `[n, h, w, c]` float32 images and `[n]` int64 labels.

    Raises:
        tf.errors.OpError: If a record is damaged or its image has another size.
    """
    features = {
        "image": tf.io.FixedLenFeature(image_shape, tf.float32),
        "label": tf.io.FixedLenFeature([], tf.int64),
    }
    batches = (
        tf.data.TFRecordDataset(str(directory / RECORDS_FILE))
        .batch(256)
        .map(lambda records: tf.io.parse_example(records, features))
    )
    parts = list(batches.as_numpy_iterator())
    if not parts:
        return np.zeros([0, *image_shape], np.float32), np.zeros([0], np.int64)
    return (
        np.concatenate([part["image"] for part in parts]),
        np.concatenate([part["label"] for part in parts]),
    )


def write_tfds_metadata(
    directory: pathlib.Path,
    image_shape: Sequence[int],
    num_records: int,
    label_names: Sequence[str],
    description: str,
) -> None:
    """Writes `TFDS_FILES` beside `RECORDS_FILE`; loading then needs no code."""
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
                "image": tfds.features.Tensor(shape=image_shape, dtype=np.float32),
                "label": tfds.features.ClassLabel(names=list(label_names)),
            }
        ),
        split_infos=[split],
        supervised_keys=("image", "label"),
        description=description,
        check_data=False,
    )
