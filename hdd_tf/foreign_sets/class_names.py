"""Which class of the data set a name in a foreign set means."""

import unicodedata
from collections.abc import Sequence

import numpy as np

from hdd_tf.artifacts.encodings.png_folder import class_folders
from hdd_tf.errors import InputError

_SHOWN = 5


def labels_of_names(
    place: object, names: Sequence[str], label_names: Sequence[str]
) -> list[int]:
    """Returns the label of each name.

    Args:
        place: The set, for messages.
        names: Names in the set: those of the data set's classes, in any case; their
            numbers, such as `7` or `007`; or both, as `hdd-tf export
            --encoding=png_folder` calls folders (`007_horse`).
        label_names: Names of the data set's classes, in the order of their labels.

    Raises:
        InputError: a name is none of the data set's, two mean one class, or the names
            are numbers that are also names of other classes.
    """
    plain = [_plain(name) for name in label_names]
    numbers = [str(label) for label in range(len(label_names))]
    readings = []
    for known in (plain, numbers, [_plain(f) for f in class_folders(label_names)]):
        # Zeros before a number are for sorting.
        asked = [_plain(name) for name in names]
        if known is numbers:
            asked = [name.lstrip("0") or "0" if name else name for name in asked]
        if len(set(known)) == len(known) and set(asked) <= set(known):
            readings.append([known.index(name) for name in asked])
    different = {tuple(reading) for reading in readings}
    if not different:
        known_names = {*plain, *numbers}
        strange = [name for name in names if _plain(name) not in known_names]
        shown = ", ".join(label_names[:_SHOWN])
        more = ", ..." if len(label_names) > _SHOWN else ""
        raise InputError(
            f"{place} has the class {(strange or list(names))[0]!r}, and the data "
            f"set's are {shown}{more}: call classes by these names, or by their "
            f"numbers 0, ..., {len(label_names) - 1}"
        )
    if len(different) > 1:
        raise InputError(
            f"{place} calls classes by numbers that are also names of other classes, "
            f"such as {names[0]!r}: call them {class_folders(label_names)[0]} and so "
            "on, a number of three digits before each name"
        )
    (labels,) = different
    if len(set(labels)) < len(set(names)):
        raise InputError(f"{place} has two names of one class: give each class one")
    return list(labels)


def as_texts(place: object, names: np.ndarray) -> np.ndarray:
    """Returns names of classes as texts, `[n]`; bytes are UTF-8.

    Args:
        place: The set, for messages.
        names: Texts, bytes or numbers, of any shape.

    Raises:
        InputError: bytes are not UTF-8.
    """
    names = names.ravel()
    if names.dtype.kind != "S":
        return names.astype(str)
    try:
        return np.char.decode(names, "utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{place} has names of classes that are not UTF-8, such as "
            f"{error.object!r:.80}: write texts, or the numbers of the classes"
        ) from error


def _plain(name: str) -> str:
    """Returns a name as it is compared: case, accents' spelling and edges aside."""
    return unicodedata.normalize("NFC", name).strip().casefold().replace(" ", "_")
