"""Subsets of a data set's classes, for `--classes`."""

import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np

from hdd_tf.errors import InputError

_SHOWN_NAMES = 10


def resolve_classes(
    wanted: Sequence[str], label_names: Sequence[str]
) -> np.ndarray | None:
    """Returns the labels to keep.

    Args:
        wanted: Class indices and class names, `index:N` and `name:NAME` where a number
            may be either. Empty for all classes.
        label_names: One name per class of the data set.

    Returns:
        `[k]` int64 sorted labels, whatever the order of `wanted`; None for all classes.

    Raises:
        InputError: there is no such class, a class is named twice, or a number is the
            index of one class and the name of another.
    """
    if not wanted:
        return None
    kept = [_resolve(word, label_names) for word in wanted]
    for first, label in enumerate(kept):
        if label in kept[:first]:
            twice = wanted[kept.index(label)], wanted[first]
            raise InputError(
                f"--classes={','.join(wanted)}: {' and '.join(twice)} are the same "
                "class; name each once."
            )
    return np.array(sorted(kept), np.int64)


def kept_rows(labels: np.ndarray, kept: np.ndarray | None) -> np.ndarray:
    """Returns the rows of labels in `kept`, in ascending order; None keeps all."""
    if kept is None:
        return np.arange(len(labels))
    return np.flatnonzero(np.isin(labels, kept))


def renumber(labels: np.ndarray, kept: np.ndarray | None) -> np.ndarray:
    """Returns labels in `kept` as their positions 0, 1, ... there; None keeps all."""
    return labels if kept is None else np.searchsorted(kept, labels).astype(np.int64)


def kept_names(label_names: Sequence[str], kept: np.ndarray | None) -> tuple[str, ...]:
    """Returns the names of the classes in `kept`; None keeps all."""
    if kept is None:
        return tuple(label_names)
    return tuple(label_names[label] for label in kept)


def _resolve(word: str, label_names: Sequence[str]) -> int:
    # Names that look the same may be encoded differently.
    names = [unicodedata.normalize("NFC", name) for name in label_names]
    name = unicodedata.normalize("NFC", word)
    kind, _, rest = name.partition(":")
    by_name = [names.index(name)] if name in names else []
    by_index = _index(word, names)
    if not by_name and kind == "name" and rest in names:
        by_name = [names.index(rest)]
    elif not by_name and kind == "index":
        by_index = _index(rest, names)
    found = {*by_name, *by_index}
    if len(found) > 1:
        raise InputError(
            f"--classes: {word} is the name of class {by_name[0]}, and the index of "
            f"the class called {label_names[by_index[0]]}: write name:{word} or "
            f"index:{word}."
        )
    if found:
        return found.pop()
    shown = ", ".join(
        f"{label} ({name})" for label, name in enumerate(label_names[:_SHOWN_NAMES])
    )
    more = f", ..., {len(label_names) - 1}" if len(label_names) > _SHOWN_NAMES else ""
    raise InputError(
        f"--classes: there is no class {word}; the data set has {shown}{more}."
    )


def _index(word: str, names: Sequence[str]) -> list[int]:
    return [int(word)] if word.isdecimal() and int(word) < len(names) else []


def check_splits(name: str, counts: Mapping[str, int], classes: Sequence[str]) -> None:
    """Checks that every split of a data set has an image, before any is read.

    Args:
        name: What messages call the data set.
        counts: Number of images of the chosen classes in each split.
        classes: What was asked for; empty for all classes.

    Raises:
        InputError: a split has none.
    """
    for split, count in counts.items():
        if not count and classes:
            raise InputError(
                f"the {split} split of {name} has no image of --classes="
                f"{','.join(classes)}: choose classes that it has images of."
            )
        if not count:
            raise InputError(
                f"the {split} split of {name} has no images: prepare or unpack the "
                "data set again, whole."
            )
