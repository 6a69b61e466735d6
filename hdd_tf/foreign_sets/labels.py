"""Labels of foreign sets: classes of the data set, and soft labels."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hdd_tf.errors import InputError
from hdd_tf.foreign_sets.class_names import as_texts, labels_of_names
from hdd_tf.foreign_sets.content import ForeignArrays
from hdd_tf.reading.arrays import mend_of_labels

# What rows of numbers may be, and `hard`: their largest is the class.
KINDS = ("hard", "logits", "probabilities")
# Sums of probabilities that were rounded to 16 bits.
_SUM_TOLERANCE = 5e-3
# Of probabilities of 0, whose logarithm is infinite.
_LEAST = 1e-12


class FoundLabels(NamedTuple):
    """The labels of a set.

    Attributes:
        classes: `[n]` int64 labels of the data set.
        logits: `[n, C]` float32 whose softmax are the soft labels, or None.
        kind: What was taken for labels, in words.
    """

    classes: np.ndarray
    logits: np.ndarray | None
    kind: str


def find_labels(
    place: object, arrays: ForeignArrays, label_names: Sequence[str], told: str = "auto"
) -> FoundLabels:
    """Returns the labels of a set, checked against the data set's classes.

    Args:
        place: The set, for messages.
        arrays: The set.
        label_names: Names of the data set's classes.
        told: What rows of numbers are, one of `KINDS`; `auto` where they say it.

    Raises:
        InputError: labels are missing, are not of the data set's classes, leave a class
            out, or are rows of which nothing says what they are.
    """
    rows, classes, kind = arrays.soft, arrays.labels, arrays.soft_kind
    if classes is not None and classes.ndim == 2 and classes.shape[1] > 1:
        if rows is None:
            rows, classes = classes, None
        else:
            classes = classes.argmax(axis=1)
    logits, said = None, "classes"
    if rows is not None:
        rows = _checked_rows(place, rows, len(arrays.images), len(label_names))
        logits, said = _as_logits(place, rows, kind if told == "auto" else told)
    if classes is None:
        assert rows is not None
        numbers = rows.argmax(axis=1)
    else:
        numbers = _as_numbers(place, classes, label_names)
    if arrays.names is not None:
        numbers, order = _renamed(place, numbers, arrays.names, label_names)
        logits = logits if logits is None else logits[:, order]
    _check_classes(place, numbers, len(arrays.images), label_names)
    return FoundLabels(numbers.astype(np.int64), logits, said)


def _checked_rows(
    place: object, rows: np.ndarray, count: int, num_classes: int
) -> np.ndarray:
    if rows.shape != (count, num_classes):
        raise InputError(
            f"{place} has soft labels of shape {rows.shape}, and {count} images of "
            f"{num_classes} classes have {(count, num_classes)}: name the data set "
            "that it is of"
        )
    if rows.dtype.kind not in "iufb" or not np.isfinite(rows).all():
        raise InputError(f"{place} has soft labels that are no finite numbers")
    return rows.astype(np.float32)


def _as_logits(
    place: object, rows: np.ndarray, kind: str
) -> tuple[np.ndarray | None, str]:
    """Returns logits of rows of numbers, or None for classes, and what they are."""
    positive = (rows >= 0).all()
    sums = positive and (np.abs(rows.sum(axis=1) - 1) < _SUM_TOLERANCE).all()
    one_hot = sums and (rows.max(axis=1) == 1).all()
    if kind == "hard" or (one_hot and not kind):
        return None, "classes (the largest of each row)"
    if kind == "logits":
        return rows, "soft labels (logits)"
    if sums:
        return np.log(np.maximum(rows, _LEAST)), "soft labels (probabilities)"
    if kind == "probabilities":
        raise InputError(
            f"{place} has rows of labels that are no probabilities: their sums are not "
            "1, or some are negative; give --set_labels=logits or hard"
        )
    raise InputError(
        f"{place} has rows of labels that are no probabilities: say what they are by "
        "--set_labels=logits, or by --set_labels=hard for the largest of each"
    )


def _as_numbers(
    place: object, classes: np.ndarray, label_names: Sequence[str]
) -> np.ndarray:
    classes = classes.reshape(-1)
    if classes.dtype.kind in "US":
        texts = as_texts(place, classes)
        names = sorted(set(texts.tolist()))
        labels = dict(
            zip(names, labels_of_names(place, names, label_names), strict=True)
        )
        return np.array([labels[text] for text in texts.tolist()], np.int64)
    if classes.dtype.kind == "b":
        classes = classes.astype(np.int64)
    if classes.dtype.kind in "iuf" and np.array_equal(classes, np.rint(classes)):
        # Before they are converted: larger ones would become other numbers.
        _check_range(place, classes, len(label_names))
        return classes.astype(np.int64)
    raise InputError(
        f"{place} has labels of {classes.dtype} that are no whole numbers: write the "
        "numbers of the classes"
    )


def _renamed(
    place: object,
    numbers: np.ndarray,
    names: Sequence[str],
    label_names: Sequence[str],
) -> tuple[np.ndarray, list[int]]:
    """Returns labels that count the data set's classes and not the set's own names."""
    if len(names) != len(label_names) or (numbers >= len(names)).any():
        raise InputError(
            f"{place} names {len(names)} classes, and the data set has "
            f"{len(label_names)}: name the data set that it is of"
        )
    if tuple(names) == tuple(label_names):
        return numbers, list(range(len(names)))
    labels = np.array(labels_of_names(place, names, label_names))
    return labels[numbers], np.argsort(labels).tolist()


def _check_classes(
    place: object, numbers: np.ndarray, count: int, label_names: Sequence[str]
) -> None:
    if len(numbers) != count:
        raise InputError(f"{place} has {count} images and {len(numbers)} labels")
    missing = np.flatnonzero(np.bincount(numbers, minlength=len(label_names)) == 0)
    if len(missing):
        raise InputError(
            f"{place} has no image of class {missing[0]} ({label_names[missing[0]]}), "
            f"and of {len(missing) - 1} others: name the data set that it is of, or "
            "its classes by --classes"
        )


def _check_range(place: object, numbers: np.ndarray, num_classes: int) -> None:
    """Checks that whole numbers, of any type, are classes of the data set."""
    outside = numbers[(numbers < 0) | (numbers >= num_classes)]
    if len(outside):
        raise InputError(
            f"{place} has a label {outside[0]}, and the data set's classes are 0, "
            f"..., {num_classes - 1}{mend_of_labels(numbers)}; name the data set that "
            "it is of"
        )
