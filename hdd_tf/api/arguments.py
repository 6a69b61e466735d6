"""Checks of what the functions of the Python interface are given."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hdd_tf.config import rows
from hdd_tf.errors import InputError
from hdd_tf.settings.scope import Scope

# Images as a method keeps them, and as networks train on them.
_KINDS = ("stored", "decoded")


def names_taken(*scopes: Scope) -> list[str]:
    """Returns the settings of some scopes that a function of Python can follow."""
    return [
        name
        for name, row in rows().items()
        if row.scope in scopes and not row.is_command_only
    ]


def check_names(function: str, given: Mapping[str, Any], taken: Iterable[str]) -> None:
    """Refuses settings that a function does not take.

    Args:
        function: Its name, for the message.
        given: Settings by name.
        taken: The names that it takes.

    Raises:
        InputError: One of them is misspelt, or is a setting of the command alone.
    """
    allowed = list(taken)
    for name in given:
        if name in allowed:
            continue
        if name in rows():
            raise InputError(
                f"{function}() has no setting {name}: it has a meaning for the command "
                "(python -m hdd_tf.main), or for other arguments than these"
            )
        close = difflib.get_close_matches(name, allowed, n=1)
        hint = (
            f"did you mean {close[0]}?" if close else f"it takes {', '.join(allowed)}"
        )
        raise InputError(f"{function}() has no setting {name}; {hint}")


def checked_class_names(names: Sequence[Any] | None, count: int) -> list[str]:
    """Returns a name of each class, by default its number.

    Args:
        names: What was given, or None.
        count: Number of classes.

    Raises:
        InputError: There are more or fewer, or some are blank or the same.
    """
    if names is None:
        return [str(label) for label in range(count)]
    if isinstance(names, str):
        raise InputError("class_names must be a list of names, not one text")
    words = [str(name) for name in names]
    if len(words) != count:
        raise InputError(
            f"class_names holds {len(words)} names, but labels 0, ..., {count - 1} "
            f"need {count}"
        )
    if len(set(words)) < count or not all(word.strip() for word in words):
        raise InputError(f"class_names must be distinct and not blank, not {words}")
    return words


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
