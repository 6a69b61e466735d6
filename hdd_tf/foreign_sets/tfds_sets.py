"""Sets in directories that TensorFlow Datasets has prepared."""

import math
import os
import pathlib
from typing import Any

import numpy as np

from hdd_tf.errors import InputError
from hdd_tf.foreign_sets.content import ForeignArrays, check_fits
from hdd_tf.reading.tfds_features import calling_tfds
from hdd_tf.reading.tfds_trust import check_features_file, check_records

INFO_FILE = "dataset_info.json"
_LOGITS = ("label_logits", "logits")
_SOFT = ("soft_label", "soft_labels", "probabilities")


def read_tfds_set(directory: pathlib.Path) -> ForeignArrays:
    """Reads a set from a prepared TFDS directory.

    Args:
        directory: The directory with `dataset_info.json`, of one split, or of several
            among which `train` is read. Its features have an image (uint8, or floats
            of any scale), a class, and perhaps soft labels.

    Raises:
        InputError: the directory is damaged, names another program than TFDS, does not
            fit into memory, or has no images with classes.
    """
    import tensorflow_datasets as tfds

    check_features_file(directory)
    damaged = f"{directory} cannot be read as a TFDS directory: write it anew"
    with calling_tfds(damaged):
        builder = tfds.builder_from_directory(directory)
        check_records(builder)
        splits = builder.info.splits
        split = "train" if "train" in splits or len(splits) != 1 else next(iter(splits))
        if split not in splits:
            raise InputError(
                f"{directory} has the splits {', '.join(splits) or 'none'}: call the "
                "one to score train"
            )
        image, label, soft = _features(directory, builder.info.features)
        feature, count = builder.info.features[image], splits[split].num_examples
        if None in feature.shape or not count:
            raise InputError(
                f"{directory} has {count} images of shape {feature.shape}: write some, "
                "all of one size"
            )
        size = math.prod(feature.shape) * np.dtype(feature.np_dtype).itemsize
        check_fits(directory, 2 * count * size)
        examples = builder.as_dataset(
            split=split,
            shuffle_files=False,
            read_config=tfds.ReadConfig(
                interleave_cycle_length=1, try_autocache=False, skip_prefetch=True
            ),
        )
        # One more than there should be, so that more are noticed.
        rows = list(examples.take(count + 1).as_numpy_iterator())
        if len(rows) != count:
            raise InputError(f"{damaged} ({len(rows)} images instead of {count})")
        columns = {
            key: np.stack([row[key] for row in rows])
            for key in (image, label, soft)
            if key
        }
    names = getattr(builder.info.features[label], "names", None)
    return ForeignArrays(
        columns[image],
        columns[label],
        columns.get(soft),
        "logits" if soft in _LOGITS else "",
        tuple(names) if names else None,
        scales=("0-255",) if feature.np_dtype == np.uint8 else (),
        note=f"split {split} of {os.path.basename(directory)}"
        if len(splits) > 1
        else "",
    )


def _features(directory: pathlib.Path, features: Any) -> tuple[str, str, str]:
    """Returns the keys of image, class and soft label, which is empty if missing."""
    import tensorflow_datasets as tfds

    of_set = {}
    if isinstance(features, tfds.features.FeaturesDict):
        of_set = dict(sorted(features.items()))
    of_images = (tfds.features.Image, tfds.features.Tensor)
    images = [
        key
        for key, feature in of_set.items()
        if isinstance(feature, of_images) and len(feature.shape) == 3
    ]
    labels = [
        key
        for key, feature in of_set.items()
        if isinstance(feature, tfds.features.ClassLabel)
    ]
    soft = [key for key in (*_LOGITS, *_SOFT) if key in of_set]
    if len(images) != 1 or len(labels) != 1 or len(soft) > 1:
        raise InputError(
            f"{directory} has the features {', '.join(of_set) or 'none'}: a set has "
            "one image, one ClassLabel, and label_logits or soft_labels if any"
        )
    return images[0], labels[0], (soft or [""])[0]
