"""Paths that somebody names, and the settings that have one.

A path that is longer than Linux and its file systems allow would fail only where it is
used, which can be after hours of work.
"""

import os
from typing import Any

from hdd_tf.errors import InputError

# In bytes: NAME_MAX and PATH_MAX, which counts a null character at the end.
_LONGEST_NAME, _LONGEST_PATH = 255, 4095
LIMITS = (
    f"names in it up to {_LONGEST_NAME} bytes and all of it up to {_LONGEST_PATH:,}"
)


def is_short(path: str) -> bool:
    """Returns whether a path can exist, by its length and that of each name in it."""
    whole = os.fsencode(path)
    names = whole.split(os.fsencode(os.sep))
    return max(map(len, names)) <= _LONGEST_NAME and len(whole) <= _LONGEST_PATH


def check_length(path: str, flag: str = "") -> None:
    """Checks that a path is not too long.

    Args:
        path: The path.
        flag: Text before the path in the message, such as `--set=`.

    Raises:
        InputError: the path or a name in it is longer than any that can exist.
    """
    if not is_short(path):
        raise InputError(
            f"{flag}{path[:200]}...: too long a path: give one with {LIMITS}"
        )


def line_of_text(value: Any) -> str:
    """Returns `value` if a line of a UTF-8 flag file can carry it unchanged.

    Raises:
        ValueError: it cannot.
    """
    if not isinstance(value, str) or value.strip() != value:
        raise ValueError("not a text without spaces around it")
    if len(value.splitlines()) > 1 or "\0" in value:
        raise ValueError("more than one line, or a null character")
    value.encode()  # UnicodeEncodeError, a ValueError, for undecodable bytes.
    return value


def path_text(value: Any) -> str:
    """Returns a path, `~` expanded.

    Raises:
        TypeError: it is no path.
        ValueError: no line can carry it, or it is too long.
    """
    path = os.path.expanduser(line_of_text(os.fspath(value)))
    if not is_short(path):
        raise ValueError("too long")
    return path


def initialisation(value: Any) -> str:
    """Returns where the first images come from, `~` expanded in `from:DIR`.

    Raises:
        ValueError: it is something else.
    """
    kind, colon, directory = line_of_text(value).partition(":")
    if value in ("real", "mix", "noise"):
        return value
    if kind == "from" and directory:
        return kind + colon + path_text(directory)
    raise ValueError("unknown initialisation")


def data_set(value: Any) -> str:
    """Returns the name of a data set, `~` expanded in `folder:DIR`.

    Raises:
        ValueError: no line can carry it, or no folder is named.
    """
    kind, colon, directory = line_of_text(value).partition(":")
    if kind != "folder":
        return value
    if not directory:
        raise ValueError("no folder")
    return kind + colon + path_text(directory)
