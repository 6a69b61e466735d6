"""Directories that users name: what is in them, and links that lead out of them."""

import errno
import os
import pathlib
import tempfile
from collections.abc import Iterator

from hdd_tf.errors import InputError, one_line

# Errors of a system where nothing more can be written.
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_BLOCK = 4096


def check_place(place: str | os.PathLike) -> None:
    """Checks that there is a directory where a user says that a set or a run is.

    Raises:
        InputError: there is nothing, or a file.
    """
    if not os.path.exists(place):
        raise InputError(f"{place} does not exist: give a distilled set or a run")
    if not os.path.isdir(place):
        raise InputError(f"{place} is a file: give the directory of a set or of a run")


def check_directory(path: str | os.PathLike, flag: str = "") -> None:
    """Checks that a directory is, or could be, where one is asked for.

    Args:
        path: The directory.
        flag: Text before the path in the message, such as `--expert_dir=`.

    Raises:
        InputError: a file is there, or where a folder above it would be.
    """
    _check_folder(nearest(pathlib.Path(path)), f"{flag}{path}")


def check_writable(path: str | os.PathLike, flag: str = "") -> None:
    """Checks that a file or directory can be made, or be written to if it is there.

    Args:
        path: What is to be written.
        flag: Text before the path in the message, such as `--output=`.

    Raises:
        InputError: the directory that it lies in, or would be made in, or it itself is
            another user's, or in a file system that cannot be written to or is full, or
            a file.
    """
    target = pathlib.Path(path)
    place = nearest(target if target.is_dir() else target.parent)
    _check_folder(place, f"{flag}{path}")
    asked, where = one_line(f"{flag}{path}"), one_line(str(place))
    try:
        _try_to_write(place)
    except OSError as error:
        if error.errno in FULL:
            raise InputError(
                f"{asked}: there is no room in {where}: make some, or name another "
                "place"
            ) from error
        raise InputError(
            f"{asked}: {where} cannot be written to: name another place, or change who "
            "may write there"
        ) from error


def _try_to_write(place: pathlib.Path) -> None:
    """Writes a block to a directory, and leaves nothing there.

    What may be written is not all: nobody makes a file in /proc, and a disk is full.

    Raises:
        OSError: it cannot be done.
    """
    # Where the user is root everything may be written, by what os.access says.
    if not os.access(place, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    # On Linux a file without a name, which no stop of the program leaves behind.
    with tempfile.TemporaryFile(dir=place, buffering=0) as file:
        file.write(b"\0" * _BLOCK)


def nearest(place: pathlib.Path) -> pathlib.Path:
    """Returns a path if it exists, or else the lowest directory above it."""
    while not place.exists() and place != place.parent:
        place = place.parent
    return place


def _check_folder(place: pathlib.Path, asked: str) -> None:
    """Raises InputError if an existing path is a file.

    Args:
        place: The path.
        asked: What the user gave, which leads below it.
    """
    if not place.is_dir():
        raise InputError(
            f"{one_line(asked)}: {one_line(str(place))} is a file: name a directory"
        )


def entries_below(directory: str | os.PathLike) -> Iterator[os.DirEntry]:
    """Yields the entries below a directory at any depth; no link is followed.

    This function does not recurse, unlike `os.walk` and `pathlib.Path.rglob` in Python
    3.11, so folders nested a thousand deep do not exceed Python's recursion limit.

    Raises:
        OSError: a folder cannot be read.
    """
    waiting = [os.fspath(directory)]
    while waiting:
        with os.scandir(waiting.pop()) as found:
            entries = list(found)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            yield entry


def refuse_links_out(directory: str | os.PathLike) -> None:
    """Checks that no link below a directory, at any depth, leads out of it.

    The directory itself may be a link, or be missing. The author of a run from an
    untrusted source could have made `result.json` a link to a file of the user, which
    the next start would replace.

    Raises:
        InputError: there is such a link, which the message names.
        OSError: a folder cannot be read.
    """
    if not os.path.isdir(directory):
        return
    root = os.path.realpath(directory)
    for entry in entries_below(directory):
        if not entry.is_symlink():
            continue
        if os.path.commonpath([root, os.path.realpath(entry.path)]) != root:
            raise InputError(
                f"{pathlib.Path(entry.path)} is a symbolic link that leads out of "
                f"{directory}: put what it leads to there itself, or remove it."
            )
