"""`hdd_tf.evaluate`: how well networks do that are trained on a set."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hdd_tf.api.arguments import (
    check_names,
    checked_class_names,
    checked_pair,
    keeps_decoded,
    names_of_parts,
)
from hdd_tf.api.calls import python_call
from hdd_tf.api.foreign import foreign_result
from hdd_tf.api.results import DistillationResult, EvaluationResult
from hdd_tf.arguments.command_line import overridden
from hdd_tf.artifacts.sets.distilled_set import metadata_without_run, read_distilled_set
from hdd_tf.artifacts.sets.set_content import DistilledSet
from hdd_tf.config import Config
from hdd_tf.data.class_sizes import check_two_classes
from hdd_tf.data.dataset import Dataset, channel_statistics
from hdd_tf.data.stored_images import ImageRows
from hdd_tf.errors import InputError, warn
from hdd_tf.evaluation.evaluation import Evaluation
from hdd_tf.foreign_sets.reading import Told
from hdd_tf.networks.registry import network_of_settings
from hdd_tf.reading.arrays import as_float_images, labelled_images, mend_of_labels
from hdd_tf.reading.labels import labels_in
from hdd_tf.reading.loading import ARRAYS, load_configured_dataset
from hdd_tf.shipped.naming import place_of_set

Pair = Sequence[Any]


@python_call
def evaluate(
    source: str | os.PathLike | DistilledSet | DistillationResult | Pair,
    *,
    test: Pair | None = None,
    train: Pair | None = None,
    class_names: Sequence[Any] | None = None,
    set_scale: str = "auto",
    set_labels: str = "auto",
    set_cells: int = 0,
    set_number: int = 1,
    **settings: Any,
) -> EvaluationResult:
    """Trains fresh networks on a set and tests them, by the protocols of the papers.

    Args:
        source: What networks train on: the directory of a set or of a run, the name of
            a set that comes with hdd_tf, what `load` or `distill` returned, or a pair
            of images `[n, h, w, c]` on the 0-255 scale and labels `[n]`. Labels are
            numbers of classes, or texts and other names of them, as `distill` takes
            them, in all pairs alike. Or, with
            `dataset=NAME`, the set of another program, as `hdd-tf evaluate --set` takes
            it: an `.npz`, `.pt` or `.parquet` file or a folder. A line says what was
            taken for what.
        test: Held-out images `[n, h, w, c]` uint8 and their labels `[n]`. By default
            the test split of the data set that the set says it is of, or of
            `dataset=NAME`.
        train: Real training images, uint8, and their labels, beside `test`. Baselines
            need them. Where `source` is a pair their mean and standard deviation
            normalise all images; a set brings its own.
        class_names: A name of each class, where `source` is a pair.
        set_scale: Of another program's set, what its values are where they do not say
            it: `0-255`, `0-1`, `-1-1`, `normalised` or `zca`.
        set_labels: What its rows of labels are: `hard`, `logits` or `probabilities`.
        set_cells: Training images along each side of an image; 0: what the file says.
        set_number: Which set of a file with several, from 1.
        **settings: Settings of the evaluation by their flag's name, such as
            `num_eval=3`, `eval_epochs=300`, `eval_networks=("convnet", "resnet18")`,
            `baselines=("random",)`, `progress=False`; they override those recorded in
            the set.

    Returns:
        Accuracies in percent: `result.mean`, `result.std`, `result.values`;
        `print(result)` says them.

    Raises:
        InputError: There is no whole set, arrays and settings do not fit together, or
            there is nothing to test on.
    """
    check_names("evaluate", settings)
    told = Told(set_scale, set_labels, set_cells, set_number)
    if isinstance(source, (str, os.PathLike)):
        source = place_of_set(os.fspath(source))
    arrays = {"test": test, "train": train, "class_names": class_names}
    if (foreign := foreign_result(source, told, arrays, settings)) is not None:
        return _result(foreign)
    given = _given_set(source)
    if given is not None and class_names is not None:
        raise InputError("class_names are recorded in the set: leave them out")
    config = _config(given, test, settings)
    if test is None:
        if train is not None:
            raise InputError("train goes with test: give test=(images, labels) too")
        dataset = load_configured_dataset(config, keeps_decoded(settings))
    else:
        dataset = _held_out(source, given, test, train, class_names)
        if train is None and (config.baselines or config.fair_score):
            raise InputError(
                "baselines and fair_score are of real training images: give "
                "train=(images, labels)"
            )
    if given is None:
        given = _set_of_pair(source, dataset)
    network = network_of_settings(
        config.network, config, dataset.image_shape, dataset.num_classes
    )
    return _result(Evaluation(config, dataset, network).result(given))


def _result(result: Mapping[str, Any]) -> EvaluationResult:
    return EvaluationResult(
        result["accuracy"],
        result["baselines"],
        result["protocol"],
        result.get("fair_score"),
        result["objective"],
    )


def _given_set(source: Any) -> DistilledSet | None:
    """Returns the set that is given, read if need be; None for a pair of arrays."""
    if isinstance(source, DistilledSet):
        return source
    if isinstance(source, DistillationResult):
        return source.distilled_set
    if isinstance(source, (str, os.PathLike)):
        return read_distilled_set(os.path.expanduser(source))
    checked_pair(source, "source, if neither a set nor its directory,")
    return None


def _config(
    given: DistilledSet | None, test: Any, settings: Mapping[str, Any]
) -> Config:
    """Returns the settings of the evaluation: recorded ones, with those given."""
    if test is not None and "dataset" in settings:
        raise InputError("test=(images, labels) and dataset=NAME: give one of the two")
    if given is not None and given.metadata["source"]:
        config = overridden(given.metadata["source"], settings)
    else:
        config = Config(**{"dataset": ARRAYS, **settings})
    if not config.num_eval:
        raise InputError("num_eval=0 trains no networks: give 1 or more")
    if test is None and config.dataset == ARRAYS:
        raise InputError(
            "there is nothing to test on: give test=(images, labels), or dataset=NAME"
        )
    return config


def _held_out(
    source: Any,
    given: DistilledSet | None,
    test: Any,
    train: Any,
    class_names: Sequence[Any] | None,
) -> Dataset:
    """Returns the arrays that networks are tested on as a data set.

    Args:
        source: The pair of arrays to score, where there is no set.
        given: The set to score, or None.
        test: Images and labels.
        train: Real images and labels, or None.
        class_names: Of a pair's classes, or None.
    """
    pairs = {"test": checked_pair(test, "test")}
    if train is not None:
        pairs["train"] = checked_pair(train, "train")
    if given is not None:
        name, names = str(given.metadata["dataset"]), given.class_names
        classes = given.metadata.get("classes")
    else:
        if train is None:
            raise InputError(
                "give train=(images, labels), whose mean and standard deviation "
                "normalise the images; a set that distill or load returned has its own"
            )
        name, classes = ARRAYS, None
        labels = {title: pair[1] for title, pair in pairs.items()}
        names = names_of_parts(
            {"labels": source[1], **labels}, checked_class_names(class_names)
        )
    check_two_classes("labels have" if given is None else "the set has", names)
    splits = {
        title: labelled_images(
            images, labels_in(labels, classes, names, f"{title} labels"), f"{title} "
        )
        for title, (images, labels) in pairs.items()
    }
    tested = splits["test"]
    real = splits.get("train", tested.take(np.arange(0)))
    if given is not None:
        mean, std, whitening = given.mean, given.std, given.whitening
    else:
        (mean, std), whitening = channel_statistics(real.images), None
    for title, part in (("test", tested), ("train", real)):
        if part.images.shape[1:] != tested.images.shape[1:]:
            raise InputError("test and train images must have one shape")
        if given is not None and part.images.shape[1:] != given.images.shape[1:]:
            raise InputError(
                f"the {title} images are {_size(part.images)}, and the set's are "
                f"{_size(given.images)}"
            )
        outside = part.labels[(part.labels < 0) | (part.labels >= len(names))]
        if len(outside):
            raise InputError(
                f"{title} has a label {outside[0]}, but the classes are 0, ..., "
                f"{len(names) - 1}{mend_of_labels(part.labels)}"
            )
    if not all(std):
        raise InputError("a channel has the same value in every train image")
    return Dataset(name, real, None, tested, names, mean, std, whitening)


def _size(images: ImageRows) -> str:
    return "x".join(map(str, images.shape[1:]))


def _set_of_pair(pair: Any, dataset: Dataset) -> DistilledSet:
    """Returns arrays as a set of a data set's classes."""
    images = as_float_images(pair[0])
    labels = labels_in(pair[1], None, dataset.label_names)
    if len(images) != len(labels):
        raise InputError(
            f"images and labels differ in number: {len(images)} and {len(labels)}"
        )
    if images.shape[1:] != dataset.image_shape:
        raise InputError(
            f"the images to train on are {_size(images)}, those to test on "
            f"{_size(dataset.test.images)}: they must have one shape"
        )
    outside = labels[(labels < 0) | (labels >= dataset.num_classes)]
    if len(outside):
        raise InputError(
            f"the set has a label {outside[0]}, but the classes are 0, ..., "
            f"{dataset.num_classes - 1}{mend_of_labels(labels)}"
        )
    tested = dataset.test.labels
    if (labels.min(), tested.min(), tested.max()) == (0, 1, labels.max() + 1):
        raise InputError(
            "the test labels start at 1, and those to train on at 0: give labels - 1"
        )
    unlearnt = np.setdiff1d(tested, labels)
    if len(unlearnt):
        warn(
            f"{len(unlearnt)} classes, such as {dataset.label_names[unlearnt[0]]}, "
            "have test images and none in the set: no network can learn them."
        )
    metadata = metadata_without_run(dataset, int(np.bincount(labels).max()))
    return DistilledSet(images, labels, metadata)
