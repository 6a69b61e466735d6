"""Labels that are given as arrays: numbers 0, ..., C - 1, or names of any kind.

Classes that are not numbered 0, ..., C - 1 are numbered in ascending order; those that
have no order (mixed kinds) in the order in which they first occur. Texts are in the
order of their code points, as `sorted` and `np.unique` have them.
"""

import contextlib
import functools
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from hdd_tf.errors import InputError
from hdd_tf.reading.arrays import as_array
from hdd_tf.reading.label_names import are_distinct, check_lines, composed, name_of

# Classes that a message names.
_NAMED = 6


class ClassLabels(NamedTuple):
    """Labels as numbers, and what they stand for.

    Attributes:
        numbers: `[n]` int64, indices of `classes`.
        classes: The label of each class as it was given; `str`, `int`, `bool` or any
            other hashable object.
        names: A name of each class, distinct.
    """

    numbers: np.ndarray
    classes: tuple[Hashable, ...]
    names: tuple[str, ...]

    @property
    def renumbered(self) -> list[int] | None:
        """The classes, where they are integers but not the numbers 0, ..., C - 1."""
        whole = [label for label in self.classes if type(label) is int]
        is_other = len(whole) == len(self.classes) and whole != list(range(len(whole)))
        return whole if is_other else None


def class_labels(
    labels: Any, class_names: Sequence[str] | None = None, title: str = "labels"
) -> ClassLabels:
    """Numbers the classes of labels.

    Integers that are the numbers 0, ..., C - 1 stay what they are, C being the number
    of `class_names`, or else of the classes that occur.

    Args:
        labels: `[n]` or `[n, 1]` hashable objects; whole floats are integers.
        class_names: A name of each class in the order of the numbers. Where labels are
            texts they are these texts themselves, and their order decides.
        title: What messages call the labels.

    Raises:
        InputError: The labels are no classes, or `class_names` do not fit them.
    """
    values = as_class_values(labels, title)
    if is_whole(values):
        classes = np.unique(values)
        top = len(classes) if class_names is None else len(class_names)
        if not len(values) or (classes[0] >= 0 and classes[-1] < top):
            numbered = tuple(range(top))
            names = class_names or [str(number) for number in numbered]
            return ClassLabels(values.astype(np.int64), numbered, tuple(names))
    given: tuple[Hashable, ...] = tuple(_distinct(values))
    if class_names is None:
        names = [name_of(label) for label in given]
        if not are_distinct(names):
            raise InputError(
                f"{title} have classes whose texts are blank, or the same but for "
                "spaces around them or the encoding of their letters, among "
                f"{_listed(given)}: give other texts, or integers"
            )
        check_lines(names, title)
    elif all(isinstance(label, (str, bytes)) for label in given):
        known = {composed(name) for name in class_names}
        strange = [label for label in given if composed(name_of(label)) not in known]
        if strange:
            raise InputError(
                f"{title} hold {_listed(strange)}, not among the class_names "
                f"{_listed(class_names)}: class_names of text labels are these texts, "
                "in the order of the numbers; leave them out for the sorted order"
            )
        given, names = tuple(class_names), list(class_names)
    elif len(class_names) == len(given):
        names = list(class_names)
    else:
        raise InputError(
            f"class_names holds {len(class_names)} names, but {title} have "
            f"{len(given)} classes: {_listed(given)}"
        )
    return ClassLabels(_numbers(values, given, title), given, tuple(names))


def labels_in(
    labels: Any,
    classes: Sequence[Hashable] | None,
    names: Sequence[str],
    title: str = "labels",
) -> np.ndarray:
    """Returns the numbers that labels have among classes that are numbered already.

    Args:
        labels: `[n]` or `[n, 1]` labels, as `class_labels` takes them.
        classes: The label of each class, where integers are not the numbers
            0, ..., C - 1; None where they are.
        names: Name of each class, which texts are looked up in.
        title: What messages call the labels.

    Returns:
        `[n]` int64. Integers may lie outside 0, ..., C - 1 if `classes` is None.

    Raises:
        InputError: The labels are no classes, or of another class.
    """
    values = as_class_values(labels, title)
    if not is_whole(values):
        return _numbers(values, names, title)
    return (
        values.astype(np.int64) if classes is None else _numbers(values, classes, title)
    )


def as_class_values(labels: Any, title: str = "labels") -> np.ndarray:
    """Returns labels `[n]`: integers, truth values, or texts and objects.

    Raises:
        InputError: They are one-hot rows, fractions, missing or not hashable.
    """
    values = as_array(labels, title)
    mixed = isinstance(labels, (list, tuple)) and values.dtype.kind in "US"
    if mixed and not all(isinstance(label, (str, bytes)) for label in labels):
        # NumPy has made texts of them all.
        values = np.empty(len(labels), object)
        values[:] = labels
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]  # As keras.datasets gives them.
    if values.ndim != 1:
        raise InputError(
            f"{title} must have shape [n], but have {values.shape}{_mend(values)}"
        )
    if values.dtype == object:
        values = _plain(values)
    if values.dtype.kind == "f":
        if not (np.isfinite(values) & (np.abs(values) < 2**53)).all():
            raise InputError(
                f"{title} have values that are missing or not finite, or too large for "
                "floats to tell apart: leave them out, or give texts"
            )
        if (values != np.rint(values)).any():
            raise InputError(
                f"{title} are {values.dtype} and not whole, so they are no classes: "
                "make classes of measurements, for example by np.digitize"
            )
        values = values.astype(np.int64)
    if values.dtype.kind not in "biuUSO":
        raise InputError(
            f"{title} are {values.dtype}, which are no classes: give .astype(str) if "
            "each value is one"
        )
    if values.dtype == object:
        _check_objects(values, title)
    return values


def _mend(values: np.ndarray) -> str:
    """Returns how to give labels of another shape than `[n]`."""
    if values.ndim == 0:
        return ": give a label for each image"
    if max(values.shape) == values.size:
        return ": give np.ravel(labels)"
    if values.ndim > 2:
        return ""
    numbers = values.dtype.kind in "biuf"
    if numbers and (values.max(axis=1) == 1).all() and (values.sum(axis=1) == 1).all():
        return ": convert one-hot rows by labels.argmax(axis=1)"
    return (
        ": convert scores of classes by labels.argmax(axis=1), and rows that are a "
        "class each by [str(row) for row in labels]"
    )


def _plain(values: np.ndarray) -> np.ndarray:
    """Returns objects, such as a column of pandas, as numbers if they are all."""
    kinds = {type(value) for value in values}
    numeric = all(issubclass(kind, (int, float, np.number)) for kind in kinds)
    if kinds and numeric and not kinds & {bool, np.bool_}:
        return np.asarray(values.tolist())
    return values


def _check_objects(values: np.ndarray, title: str) -> None:
    for value in values:
        try:
            hash(value)
            is_missing = value is None or bool(value != value)
        except TypeError as error:
            if "hashable" in str(error):
                raise InputError(
                    f"{title} hold a {type(value).__name__}, which cannot be a class: "
                    "give texts or integers"
                ) from error
            is_missing = True  # pandas.NA compares with nothing, not even itself.
        if is_missing:
            raise InputError(f"{title} have values that are missing ({value!r})")


def is_whole(values: np.ndarray) -> bool:
    """Tells whether labels are integers."""
    return values.dtype.kind in "iu"


def _distinct(values: np.ndarray) -> Iterable[Hashable]:
    if values.dtype != object:
        return np.unique(values).tolist()
    found = list(dict.fromkeys(values.tolist()))
    with contextlib.suppress(TypeError):
        return sorted(found)
    return found


def _numbers(values: np.ndarray, classes: Sequence[Hashable], title: str) -> np.ndarray:
    """Returns the indices that values have in `classes`, or their names there."""
    known = {label: index for index, label in enumerate(classes)}
    by_name = {composed(name_of(label)): index for label, index in known.items()}

    @functools.cache
    def number(value: Hashable) -> int:
        index = known.get(value, by_name.get(composed(name_of(value))))
        if index is None:
            raise InputError(
                f"{title} have a label {_listed([value])}, but the classes are "
                f"{_listed(classes)}"
            )
        return index

    return np.fromiter(map(number, values.tolist()), np.int64, len(values))


def _listed(labels: Iterable[Any]) -> str:
    shown = [f"{label!r:.40}" for label in labels]
    more = f", ... ({len(shown)} in all)" if len(shown) > _NAMED else ""
    return ", ".join(shown[:_NAMED]) + more
