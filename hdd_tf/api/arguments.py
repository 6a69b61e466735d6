"""Checks of what the functions of the Python interface are given."""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np

from hdd_tf.arguments.flag_names import SYNONYMS, suggestion
from hdd_tf.config import names_of, rows
from hdd_tf.errors import InputError
from hdd_tf.reading.label_names import are_distinct, check_lines, name_of
from hdd_tf.reading.labels import as_class_values, class_labels, is_whole
from hdd_tf.settings.data import ON_DISK
from hdd_tf.settings.scope import Scope

# Images as a method keeps them, and as networks train on them.
_KINDS = ("stored", "decoded")
_DISTILL, _EVALUATE = "distill", "evaluate"
# Scopes of the settings that say what images are made and how.
_MAKING = (
    *(Scope.DATA, Scope.SHARED, Scope.MATCHING, Scope.MAY_GROW, Scope.SEED),
    Scope.PROCESS,
)
# Their arguments that are no `**settings`, to suggest for misspelt ones.
_ARGUMENTS = {
    _DISTILL: ("images", "labels", "ipc", "class_names"),
    _EVALUATE: (
        *("test", "train", "class_names"),
        *("set_scale", "set_labels", "set_cells", "set_number"),
    ),
}
_MOST_SUGGESTIONS = 4
# Names of other programs for where results are written, without `_`.
_OF_SAVING = {"outputdir", "outdir", "savedir", "savepath", "outputpath", "output"}


def keeps_decoded(settings: Mapping[str, Any]) -> bool:
    """Returns whether a call asks for decoded images to be written to a directory.

    Args:
        settings: What the caller gave.
    """
    return "data_cache" in settings or settings.get("real_store") == ON_DISK


def names_taken(function: str) -> list[str]:
    """Returns the settings that `distill` or `evaluate` of Python can follow."""
    if function == _EVALUATE:
        return [name for name, row in rows().items() if row.is_scoring]
    return [
        name
        for name, row in rows().items()
        if row.scope in _MAKING and not row.is_command_only
    ]


def check_names(
    function: str, given: Iterable[str], *, of_arrays: bool = False
) -> None:
    """Refuses settings that a function does not take.

    Args:
        function: `distill` or `evaluate`.
        given: Names of settings.
        of_arrays: Whether the images are given as arrays, so that settings of a named
            data set have no meaning.

    Raises:
        InputError: One of them is misspelt, or is a setting of the other function, of
            named data sets or of the command alone.
    """
    allowed = names_taken(function)
    of_named = names_of(Scope.DATA) if of_arrays else ()
    other = _DISTILL if function == _EVALUATE else _EVALUATE
    for name in given:
        if name in allowed and name not in of_named:
            continue
        if name in allowed:
            reason = ": it goes with dataset=NAME, and arrays are given"
        elif name in names_taken(other):
            reason = f": it is a setting of hdd_tf.{other}()"
        elif name in _ARGUMENTS[other]:
            reason = f": hdd_tf.{other}() takes it"
        elif name in rows():
            reason = ": it has a meaning for the command alone (python -m hdd_tf.main)"
        else:
            known = [taken for taken in allowed if taken not in of_named]
            reason = _meant_elsewhere(name, function, known) or _suggestion(
                name, [*_ARGUMENTS[function], *known]
            )
        raise InputError(f"{function}() has no setting {name}{reason}")


def _meant_elsewhere(name: str, function: str, known: Sequence[str]) -> str:
    """Returns which other function does what a name asks for; "" if none is known."""
    plain = name.lower().replace("_", "")
    if plain in _OF_SAVING:
        return ": save the result, by .save(DIR)"
    meant = SYNONYMS.get(plain, ())
    if not meant or not set(meant).isdisjoint(known):
        return ""
    other = _DISTILL if function == _EVALUATE else _EVALUATE
    found = [each for each in meant if each in names_taken(other)]
    return f": hdd_tf.{other}() has {found[0]}" if found else ""


def _suggestion(name: str, known: Sequence[str]) -> str:
    """Returns the names that a misspelt one may stand for, or where to find them."""
    meant = suggestion(name, known)
    close = [meant] if meant else []
    if len(name) > 1:
        parts = [other for other in known if name in other or other in name]
        close = list(dict.fromkeys([*close, *parts]))
    if not close:
        return ": python -m hdd_tf.main --help explains the settings"
    return f"; did you mean {' or '.join(close[:_MOST_SUGGESTIONS])}?"


def checked_class_names(names: Any) -> list[str] | None:
    """Returns names of classes, or None if none are given.

    Args:
        names: What was given.

    Raises:
        InputError: They are no list, or some are blank or the same.
    """
    if names is None:
        return None
    if isinstance(names, str):
        raise InputError("class_names must be a list of names, not one text")
    if isinstance(names, Set | Mapping):
        # A set has no order, and a dict's keys would be taken for the names.
        raise InputError(
            "class_names must be a list of names in the order of the numbers, not a "
            f"{type(names).__name__}"
        )
    try:
        words = [name_of(name) for name in names]
    except TypeError as error:
        raise InputError(
            f"class_names must be a list of names, not {type(names).__name__}"
        ) from error
    if not are_distinct(words):
        raise InputError(
            "class_names must be distinct, by more than spaces around them or the "
            f"encoding of their letters, and not blank, not {words}"
        )
    check_lines(words, "class_names")
    return words


def names_of_parts(
    parts: Mapping[str, Any], class_names: Sequence[str] | None = None
) -> tuple[str, ...]:
    """Returns the names of the classes of several arrays of labels together.

    Integers are numbers of classes. All others are names, numbered as `class_labels`
    does.

    Args:
        parts: Labels by what messages call them.
        class_names: A name of each class, or None.

    Raises:
        InputError: Labels are no classes, or of more classes than there are names.
    """
    values = [as_class_values(labels, title) for title, labels in parts.items()]
    named = [each.astype(object) for each in values if not is_whole(each)]
    names = class_names
    if named and names is None:
        names = class_labels(np.concatenate(named), title=" and ".join(parts)).names
    if names is not None and named:
        return tuple(names)
    count = 1 + max((int(each.max()) for each in values if len(each)), default=-1)
    names = [str(number) for number in range(count)] if names is None else names
    if len(names) != count:
        mend = "; give labels - 1 if they start at 1" if len(names) == count - 1 else ""
        raise InputError(
            f"class_names holds {len(names)} names, but labels 0, ..., {count - 1} "
            f"need {count}{mend}"
        )
    return tuple(names)


def checked_pair(values: Any, title: str) -> tuple[Any, Any]:
    """Returns images and labels that were given together.

    Args:
        values: `(images, labels)`.
        title: What messages call them.

    Raises:
        InputError: They are something else.
    """
    if not isinstance(values, (tuple, list)) or len(values) != 2:
        raise InputError(f"{title} must be a pair (images, labels)")
    return values[0], values[1]


def check_kind(images: str) -> None:
    """Refuses what is neither `stored` nor `decoded`.

    Raises:
        InputError: It is something else.
    """
    if images not in _KINDS:
        raise InputError(f"images={images!r} must be one of {', '.join(_KINDS)}")
