"""Subsets of a data set's classes, for `--classes`."""

from collections.abc import Sequence

import numpy as np

from hdd_tf.errors import InputError

_SHOWN_NAMES = 10


def resolve_classes(
    wanted: Sequence[str], label_names: Sequence[str]
) -> np.ndarray | None:
    """Returns the labels to keep.

    Args:
        wanted: Class indices and class names; a decimal number is an index. Empty for
            all classes.
        label_names: One name per class of the data set.

    Returns:
        `[k]` int64 sorted labels, whatever the order of `wanted`; None for all classes.

    Raises:
        InputError: there is no such class, or a class is named twice.
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
    if word.isdecimal():
        if int(word) < len(label_names):
            return int(word)
    elif word in label_names:
        return list(label_names).index(word)
    shown = ", ".join(
        f"{label} ({name})" for label, name in enumerate(label_names[:_SHOWN_NAMES])
    )
    more = f", ..., {len(label_names) - 1}" if len(label_names) > _SHOWN_NAMES else ""
    raise InputError(
        f"--classes: there is no class {word}; the data set has {shown}{more}."
    )
