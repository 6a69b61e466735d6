"""Reads image classification sets that TFDS has prepared into arrays."""

import contextlib
import dataclasses
import logging
import pathlib
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np

from hdd_tf.data.dataset import LabelledImages
from hdd_tf.errors import InputError, InterruptedRunError

_LOG = logging.getLogger(__name__)
_BATCH_BYTES = 2**22


@dataclasses.dataclass(frozen=True)
class ImageFeatures:
    """Where a TFDS set keeps its images and labels.

    Attributes:
        image: Key of the image.
        label: Key of its class.
        shape: Height, width, channels.
        label_names: One name per class.
    """

    image: str
    label: str
    shape: tuple[int, int, int]
    label_names: tuple[str, ...]


@contextlib.contextmanager
def calling_tfds(problem: str) -> Iterator[None]:
    """Turns whatever TFDS raises into an `InputError` that starts with `problem`.

    TFDS documents no exceptions for damaged files or failed downloads: AssertionError,
    ValueError, OSError, TypeError and TensorFlow's own have all been seen. It also
    warns of its own deprecations, which are not the user's: they are not shown.
    """
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    except (InputError, InterruptedRunError):
        raise
    except Exception as error:
        reason = textwrap.shorten(str(error) or type(error).__name__, 200)
        raise InputError(f"{problem} ({reason})") from error
    finally:
        logger.setLevel(level)


def classification_features(info: Any) -> ImageFeatures:
    """Finds image and label among the features of a TFDS set.

    Args:
        info: `tfds.core.DatasetInfo`.

    Returns:
        The supervised keys if they are an image and a class; else the only image and
        the only class label there are.

    Raises:
        InputError: it has no or several such features, or not uint8 images of one size.
    """
    import tensorflow_datasets as tfds

    features = {}
    if isinstance(info.features, tfds.features.FeaturesDict):
        # Sorted, as TFDS restores them in no fixed order.
        features = dict(sorted(info.features.items()))
    images = [
        key
        for key, feature in features.items()
        if isinstance(feature, tfds.features.Image)
        and not isinstance(feature, tfds.features.LabeledImage)  # Segmentation maps.
    ]
    labels = [
        key
        for key, feature in features.items()
        if isinstance(feature, tfds.features.ClassLabel)
    ]
    if not images or not labels:
        found = ", ".join(features) or type(info.features).__name__
        raise InputError(
            f"{info.name} is not an image classification set: it needs an Image and a "
            f"ClassLabel among its features, but has: {found}."
        )
    keys = info.supervised_keys
    if keys and len(keys) == 2 and keys[0] in images and keys[1] in labels:
        image, label = keys
    elif len(images) == len(labels) == 1:
        image, label = images[0], labels[0]
    else:
        raise InputError(
            f"{info.name} does not say which to use of its images "
            f"({', '.join(images)}) and labels ({', '.join(labels)})."
        )
    shape = features[image].shape
    if None in shape:
        raise InputError(
            f"the images of {info.name} have no fixed size {shape}; only data sets "
            "whose images all have one size can be distilled."
        )
    if features[image].np_dtype != np.uint8:
        raise InputError(
            f"the images of {info.name} are {np.dtype(features[image].np_dtype).name}; "
            "only uint8 images can be distilled."
        )
    return ImageFeatures(image, label, shape, tuple(features[label].names))


def read_splits(
    builder: Any, features: ImageFeatures
) -> tuple[LabelledImages, LabelledImages]:
    """Reads the training and the test split, always in the same order.

    Args:
        builder: `tfds.core.DatasetBuilder` of a prepared set.
        features: Its image and label.

    Returns:
        The split `train`, and `test` or else `validation`.

    Raises:
        InputError: a split is missing, damaged, unlabelled or too large for memory.
    """
    name, splits = builder.info.name, builder.info.splits
    if "train" not in splits:
        raise InputError(
            f"{name} in {builder.data_dir} has no split 'train', only: "
            f"{', '.join(splits) or 'none'}."
        )
    held_out = next((split for split in ("test", "validation") if split in splits), "")
    if not held_out:
        raise InputError(
            f"{name} has only the splits {', '.join(splits)}, and a test split is "
            "needed: write a copy with the splits 'train' and 'test' by "
            "tfds.dataset_builders.store_as_tfds_dataset and give its --data_dir."
        )
    if held_out == "validation":
        _LOG.warning("%s has no test split: its validation split serves as one.", name)
    counts = [splits[split].num_examples for split in ("train", held_out)]
    _check_memory(name, counts, int(np.prod(features.shape)))
    return (
        _read_split(builder, features, "train"),
        _read_split(builder, features, held_out),
    )


def _read_split(builder: Any, features: ImageFeatures, split: str) -> LabelledImages:
    import tensorflow_datasets as tfds

    name, count = builder.info.name, builder.info.splits[split].num_examples
    images = np.empty((count, *features.shape), np.uint8)
    labels = np.empty(count, np.int64)
    damaged = (
        f"the split '{split}' of {name} in {builder.data_dir} is damaged: delete that "
        "directory and prepare it again"
    )
    done = 0
    with calling_tfds(damaged):
        examples = builder.as_dataset(
            split=split,
            shuffle_files=False,
            # Other features may be large, and need not be decoded.
            decoders=tfds.decode.PartialDecoding(
                {features.image: True, features.label: True}
            ),
            # File by file; and no second copy in TensorFlow's cache.
            read_config=tfds.ReadConfig(
                interleave_cycle_length=1, try_autocache=False, skip_prefetch=True
            ),
        )
        batch_size = max(1, _BATCH_BYTES // int(np.prod(features.shape)))
        for batch in examples.batch(min(batch_size, 1024)).prefetch(2):
            part = batch[features.label].numpy()
            # More images than promised do not fit, and raise.
            images[done : done + len(part)] = batch[features.image].numpy()
            labels[done : done + len(part)] = part
            done += len(part)
    if done != count:
        raise InputError(f"{damaged} ({done} images instead of {count})")
    outside = np.flatnonzero((labels < 0) | (labels >= len(features.label_names)))
    if len(outside):
        raise InputError(
            f"the split '{split}' of {name} has {len(outside):,} images without a "
            f"class (label {labels[outside[0]]}); only labelled splits can be used."
        )
    return LabelledImages(images, labels)


def _check_memory(name: str, counts: list[int], image_bytes: int) -> None:
    training, test = counts
    # The training images are held twice: here and as TensorFlow's tensor.
    needed = (2 * training + test) * image_bytes
    available = available_memory()
    if available is not None and needed > available:
        raise InputError(
            f"{name} does not fit into memory: its {training:,} training and {test:,} "
            f"test images need {needed / 2**30:.2f} GiB, and "
            f"{available / 2**30:.2f} GiB are available."
        )


def available_memory() -> int | None:
    """Returns the bytes that can be allocated without swapping; None if unknown."""
    try:
        text = pathlib.Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:  # Linux only.
        return None
    found = re.search(r"^MemAvailable:\s*(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None
