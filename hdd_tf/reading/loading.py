"""Builds a data set that is ready to distil, from a name or from arrays."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hdd_tf.config import Config
from hdd_tf.data.catalogue import (
    PUBLISHED,
    canonical_name,
    published_normalisation,
)
from hdd_tf.data.class_sizes import (
    check_two_classes,
    warn_of_fewer,
    warn_of_small_classes,
)
from hdd_tf.data.dataset import Dataset, LabelledImages, channel_statistics
from hdd_tf.data.memory import as_shareable
from hdd_tf.data.sharing import ALONE, Sharing
from hdd_tf.data.splits import hold_out_validation
from hdd_tf.data_cache.setting import NOT_CACHED, CacheSetting
from hdd_tf.errors import InputError, warn
from hdd_tf.reading.arrays import labelled_images, mend_of_labels
from hdd_tf.reading.folders.own_places import refuse_own_places
from hdd_tf.reading.sources import read_source
from hdd_tf.reading.whitening import whitened_for
from hdd_tf.settings.conversions import height_and_width

# What a data set of arrays is called.
ARRAYS = "arrays"


def load_configured_dataset(
    config: Config, keeps: bool = True, sharing: Sharing = ALONE
) -> Dataset:
    """Loads the data set that a run's settings name.

    Args:
        config: Settings of the run.
        keeps: Whether `--data_cache` may be written. It may not where a file says where
            it is and not whoever starts the command, nor where they expect no files.
        sharing: How several processes share the data.

    Raises:
        InputError: the set is unknown, missing, damaged, too large or unsuitable; or
            its images were arrays given in Python.
    """
    if config.dataset == ARRAYS:
        raise InputError(
            f"--dataset={ARRAYS} stands for images given in Python, which no file "
            "holds: name a data set of such images, for example --dataset=folder:DIR, "
            "or score a set from Python by hdd_tf.evaluate(SET, test=(images, labels))"
        )
    if keeps:
        refuse_own_places(config)
    dataset = load_dataset(
        config.dataset,
        config.data_dir or None,
        config.validation_fraction,
        config.seed,
        config.traits.normalised_as,
        height_and_width(config.image_size),
        config.classes,
        CacheSetting(
            config.data_cache,
            keeps and not config.dry_run,
            print if config.dry_run else lambda text: None,
            config.real_store,
            config.progress,
        ),
        sharing,
    )
    # Otherwise real images are drawn, and too few of them are refused.
    if not config.traits.is_selection and config.init not in ("real", "mix"):
        warn_of_fewer(dataset.training.labels, dataset.label_names, config.ipc)
    return whitened_for(config, dataset)


def load_dataset(
    name: str,
    data_dir: str | None,
    validation_fraction: float,
    seed: int,
    normalised_as: Mapping[str, str] | None = None,
    image_size: tuple[int, int] | None = None,
    classes: Sequence[str] = (),
    caching: CacheSetting = NOT_CACHED,
    sharing: Sharing = ALONE,
) -> Dataset:
    """Loads an image classification set into memory.

    Args:
        name: `digits`, a TFDS name such as `cifar10` or `name/config:1.0.0`, or
            `folder:DIR` for a folder of class folders.
        data_dir: Directory of prepared TFDS sets, or of a single one, or of the
            unpacked `tiny_imagenet` or `imagewoof`; None for TFDS's default. A missing
            set is downloaded to this directory.
        validation_fraction: Part of the training split to hold out, in [0, 1). A set
            with train, validation and test splits has nothing held out.
        seed: Seed of the run, which decides the images that are held out.
        normalised_as: Name of the data set whose constants are used, by data set; see
            `published_normalisation`.
        image_size: Height and width to fit the images to; None for their own.
        classes: Indices or names of the classes to keep, which get new numbers; empty
            keeps all.
        caching: Where decoded images are kept.
        sharing: How several processes share the data.

    Returns:
        The data set. A published set has its published normalisation. Any other set
        has the mean and the standard deviation of the whole training split.

    Raises:
        InputError: the set is unknown, missing, damaged, too large or unsuitable.
    """
    source = read_source(
        canonical_name(name), data_dir, image_size, classes, caching, sharing
    )
    _warn_of_partial_set(source.name, source.num_training, source.num_test)
    if source.validation is not None and validation_fraction:
        warn(
            f"{source.name} has a validation split: it is used, and nothing is held "
            "out."
        )
    return _build_dataset(
        source.name,
        source.training,
        source.test,
        source.label_names,
        published_normalisation(source.name, normalised_as or {}),
        validation_fraction,
        seed,
        source.validation,
        sharing,
    )


def dataset_from_arrays(
    images: Any,
    labels: Any,
    test_images: Any = None,
    test_labels: Any = None,
    validation_fraction: float = 0.0,
    seed: int = 0,
    label_names: Sequence[str] | None = None,
) -> Dataset:
    """Makes a data set from arrays.

    Args:
        images: `[n, h, w, c]` or `[n, h, w]`, uint8. Arrays of other numeric types are
            accepted if their values are integers and clearly on the 0-255 scale.
        labels: `[n]` or `[n, 1]` integers 0, ..., C - 1, each of which occurs.
        test_images: `[m, h, w, c]` or `[m, h, w]` test images of the types and the size
            of `images`; None for an empty test split.
        test_labels: `[m]` or `[m, 1]` integers 0, ..., C - 1; a class may be missing.
        validation_fraction: Part of the images to hold out, in [0, 1).
        seed: Seed of the choice of the images that are held out.
        label_names: Names of the classes, one per class; None uses the numbers.

    Returns:
        The data set, named `arrays`.

    Raises:
        InputError: the shape, type or values of the arrays are not supported, or
            images and labels do not match.
    """
    given = labelled_images(images, labels)
    assert isinstance(given.images, np.ndarray)
    # Copied here where needed, and not for each tensor of them.
    training = LabelledImages(as_shareable(given.images), given.labels)
    num_classes = int(training.labels.max()) + 1 if len(training.labels) else 0
    if label_names is None:
        label_names = [str(label) for label in range(num_classes)]
    if (test_images is None) != (test_labels is None):
        raise InputError("test_images and test_labels: give both or neither.")
    if test_images is None:
        test = training.take(np.arange(0))
    else:
        test = labelled_images(test_images, test_labels, "test_")
    if test.images.shape[1:] != training.images.shape[1:]:
        raise InputError(
            f"test_images are {test.images.shape[1:]}, but images "
            f"{training.images.shape[1:]}: they must have one shape."
        )
    return _build_dataset(
        ARRAYS,
        training,
        test,
        tuple(label_names),
        None,
        validation_fraction,
        seed,
        owns_images=training.images is not given.images,
    )


def _build_dataset(
    name: str,
    training: LabelledImages,
    test: LabelledImages,
    label_names: tuple[str, ...],
    normalisation: tuple[tuple[float, ...], tuple[float, ...]] | None,
    validation_fraction: float,
    seed: int,
    validation: LabelledImages | None = None,
    sharing: Sharing = ALONE,
    owns_images: bool = True,
) -> Dataset:
    _check_labels(name, training.labels, test.labels, len(label_names))
    check_two_classes("labels have" if name == ARRAYS else f"{name} has", label_names)
    mean, std = normalisation or map(
        tuple,
        sharing.of_chief(
            "statistics of the channels", lambda: channel_statistics(training.images)
        ),
    )
    channels = training.images.shape[-1]
    if len(mean) != channels:
        raise InputError(
            f"the {name} found here has images of {channels} channels instead of "
            f"{len(mean)}: it is another data set under that name."
        )
    if not all(std):
        raise InputError(
            f"channel {std.index(0.0)} of {name} has the same value in every training "
            "image and cannot be normalised: leave it out (save the images in gray, or "
            "give arrays without that channel)."
        )
    warn_of_small_classes(training.labels, test.labels, label_names)
    if validation is None:
        training, validation = hold_out_validation(
            training, len(label_names), validation_fraction, seed, owns_images
        )
    return Dataset(name, training, validation, test, label_names, mean, std)


def _check_labels(
    name: str, training: np.ndarray, test: np.ndarray, num_classes: int
) -> None:
    for labels in (training, test):
        outside = labels[(labels < 0) | (labels >= num_classes)]
        if len(outside):
            raise InputError(
                f"{name} has a label {outside[0]}, but its {num_classes} classes are "
                f"0, ..., {num_classes - 1}."
            )
    empty = np.flatnonzero(np.bincount(training, minlength=num_classes) == 0)
    if len(empty) or not num_classes:
        raise InputError(
            f"{name} has no training image of class {', '.join(map(str, empty[:5]))}"
            f"{', ...' if len(empty) > 5 else ''}: every class of 0, ..., C - 1 needs "
            "at least one; leave unused classes out and number the others anew"
            f"{mend_of_labels(training)}."
        )


def _warn_of_partial_set(name: str, num_training: int, num_test: int) -> None:
    published = PUBLISHED.get(name)
    if published is None:
        return
    if (num_training, num_test) != (published.num_training, published.num_test):
        warn(
            f"{name} here has {num_training} training and {num_test} test images, the "
            f"published set {published.num_training} and {published.num_test}: do not "
            "compare scores with published ones."
        )
