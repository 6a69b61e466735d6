"""Which features of a TFDS set are its images and classes."""

import contextlib
import dataclasses
import logging
import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np

from hdd_tf.errors import InputError, InterruptedRunError

_MOST_CLASSES = 10**6


@dataclasses.dataclass(frozen=True)
class ImageFeatures:
    """The image and label features of a TFDS set.

    Attributes:
        image: Key of the image.
        label: Key of the image's class.
        shape: Height, width and channels of the images as they will be read.
        label_names: Names of the classes, one per class.
        resized: True if the images must be fitted to `shape`.
    """

    image: str
    label: str
    shape: tuple[int, int, int]
    label_names: tuple[str, ...]
    resized: bool = False


@contextlib.contextmanager
def calling_tfds(problem: str) -> Iterator[None]:
    """Turns every error of TFDS into an `InputError` that starts with `problem`.

    TFDS documents no exceptions for damaged files or failed downloads: AssertionError,
    ValueError, OSError, TypeError and TensorFlow's own have all been seen. TFDS's
    warnings of its own deprecations are hidden, because users cannot act on them.
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


def classification_features(
    info: Any, image_size: tuple[int, int] | None = None
) -> ImageFeatures:
    """Finds image and label among the features of a TFDS set.

    Args:
        info: `tfds.core.DatasetInfo`.
        image_size: Height and width to fit the images to; None for their own.

    Returns:
        The supervised keys if they are an image and a class label; else the only image
        and the only class label of the set.

    Raises:
        InputError: the set has no such features or several, or its images are not uint8
            images of one size.
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
    own_shape = features[image].shape
    shape = (*(image_size or own_shape[:2]), own_shape[2])
    if own_shape[2] is None:
        raise InputError(
            f"the images of {info.name} have no fixed number of channels {own_shape}; "
            "only data sets whose images all have the same can be distilled."
        )
    if None in shape:
        raise InputError(
            f"the images of {info.name} have no fixed size {own_shape}: give the one "
            "to bring them to with --image_size, such as --image_size=64."
        )
    if features[image].np_dtype != np.uint8:
        raise InputError(
            f"the images of {info.name} are {np.dtype(features[image].np_dtype).name}; "
            "only uint8 images can be distilled."
        )
    if not all(side >= 1 for side in shape):
        raise InputError(
            f"the images of {info.name} are said to be {shape}: no image is."
        )
    # Names are made of numbers where there are none: of 10^12 classes too.
    classes = features[label].num_classes
    if classes is None or not 1 <= classes <= _MOST_CLASSES:
        raise InputError(f"{info.name} is said to have {classes} classes: none has.")
    names = tuple(features[label].names)
    return ImageFeatures(image, label, shape, names, resized=shape != own_shape)
