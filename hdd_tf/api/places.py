"""Checks of the paths that the functions of the Python interface are given."""

import contextlib
import os
import pathlib

from hdd_tf.errors import InputError
from hdd_tf.exporting.sets import check_output, check_outside
from hdd_tf.shipped.naming import place_of_set


def checked_path(value: object, title: str) -> pathlib.Path:
    """Returns a path, of which `~` is the home directory.

    Args:
        value: What was given.
        title: What messages call it.

    Raises:
        InputError: It is no path, or none that the system can look at.
    """
    if not isinstance(value, (str, os.PathLike)):
        raise InputError(f"{title} must be a path, not {type(value).__name__}")
    if not os.fspath(value):  # To pathlib that is the current folder.
        raise InputError(f"{title} is empty: give a path")
    try:
        path = pathlib.Path(value).expanduser()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.stat()
    # Too long, or not to be entered; with a null character; `~` of nobody.
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{title}={os.fspath(value)!r} is no usable path: {reason}"
        ) from error
    return path


def path_of_set(value: object, title: str) -> pathlib.Path:
    """Returns where a set or run lies that is given by its path or its name.

    Args:
        value: What was given: a path, or the name of a set that comes with hdd_tf.
        title: What messages call it.

    Raises:
        InputError: It is neither, as `checked_path` says; or it can only be a name, and
            no set has it.
    """
    path = checked_path(value, title)
    return pathlib.Path(place_of_set(os.fspath(path)))


def checked_target(
    value: object,
    title: str,
    encoding: str,
    overwrite: bool,
    source: object = None,
) -> pathlib.Path:
    """Returns where a set is to be written, once it is known that it may be.

    Args:
        value: What was given.
        title: What messages call it.
        encoding: Name of the encoding.
        overwrite: Whether a distilled set that is there is replaced.
        source: Path of the run, checkpoint or set that is exported, if it is a path.

    Raises:
        InputError: It is no path, holds other things, or a set that is not to be
            replaced, or lies in the source; or there is no such encoding.
    """
    path = checked_path(value, title)
    check_output(path, encoding, overwrite, flag="", replace="give overwrite=True")
    if isinstance(source, str | os.PathLike):
        check_outside(path, source, flag="")
    return path
