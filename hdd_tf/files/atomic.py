"""Atomic writes of files and directories.

Everything is written under a temporary name beside its target, flushed to the disk and
renamed. A reader, or a run resumed after a crash, therefore never finds half a file
under its final name. Temporary names are hidden (`unfinished.py`).
"""

import contextlib
import ctypes
import errno
import os
import pathlib
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import Any

from hdd_tf.files.json_text import json_text, json_text_of_numbers
from hdd_tf.files.kept_directory import fill, stays
from hdd_tf.files.unfinished import partial_name, sync_directory, sync_tree

# From <linux/fcntl.h> and <linux/fs.h>.
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Writes or replaces a file, and creates missing parents.

    Raises:
        OSError: the file cannot be written.
    """
    _write(path, data, lambda partial, target: partial.replace(target))


def write_new_text(path: str | os.PathLike, text: str) -> None:
    """Writes a UTF-8 text file as `write_bytes` does, and replaces none.

    Raises:
        FileExistsError: there is a file of the name, which is unchanged.
        OSError: the file cannot be written.
    """
    _write(path, text.encode("utf-8"), _name_new)


def _name_new(partial: pathlib.Path, target: pathlib.Path) -> None:
    """Gives a file its final name, which no file has."""
    try:
        target.hardlink_to(partial)
        partial.unlink()
    except FileExistsError:
        raise
    except OSError as error:  # A file system without such links.
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
        partial.replace(target)


def _write(
    path: str | os.PathLike,
    data: bytes,
    name: Callable[[pathlib.Path, pathlib.Path], object],
) -> None:
    """Writes a file under a temporary name, and then gives it its own."""
    target = pathlib.Path(path).resolve()
    _make_directory(target.parent)
    partial = partial_name(target)
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        name(partial, target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_directory(target.parent)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a UTF-8 text file as `write_bytes` does."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Writes `to_plain(value)` as indented JSON as `write_bytes` does."""
    write_text(path, json_text(value))


def write_json_of_numbers(path: str | os.PathLike, value: Any) -> None:
    """Writes `json_text_of_numbers(value)` as `write_bytes` does."""
    write_text(path, json_text_of_numbers(value))


@contextlib.contextmanager
def new_directory(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Creates a directory to fill, which gets its final name when the block succeeds.

    A directory at `path` is replaced as a whole: the name always refers to either the
    old or the new directory. (Linux swaps two names in one step. On other systems there
    is a moment without a directory, and an error in it restores the old directory.) If
    the block raises an error, nothing has changed.

    A directory that cannot be replaced (see `kept_directory.py`) gets the files one by
    one, when the block has succeeded: a reader at that moment sees some of each.

    Args:
        path: Final name of the directory; missing parents are created.

    Yields:
        An empty directory beside `path`, or in it.

    Raises:
        OSError: the directory cannot be written.
    """
    target = pathlib.Path(path).resolve()
    _make_directory(target.parent)
    partial = partial_name(target / target.name if stays(target) else target)
    # Other users could not read a directory of tempfile.mkdtemp.
    partial.mkdir()
    try:
        yield partial
        give_name(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def give_name(partial: pathlib.Path, target: pathlib.Path) -> None:
    """Gives a directory that is filled its final name, as `new_directory` does.

    Args:
        partial: The directory.
        target: A name beside it; a directory of that name is replaced as a whole. Or
            the directory that it lies in, whose other files it replaces.

    Raises:
        OSError: the names cannot be changed.
    """
    sync_tree(partial)
    if partial.parent == target:
        fill(partial, target)
        return  # The names beside it are as they were.
    if not target.is_dir():
        partial.rename(target)
    elif not _exchange(partial, target):
        _replace_in_two_steps(partial, target)
    else:
        # This name refers to the old directory now.
        shutil.rmtree(partial, ignore_errors=True)
    sync_directory(target.parent)


def _make_directory(directory: pathlib.Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        # Python's own message, "File exists", would mislead: a parent is a file.
        raise NotADirectoryError(
            errno.ENOTDIR, os.strerror(errno.ENOTDIR), error.filename
        ) from error


def _exchange(first: pathlib.Path, second: pathlib.Path) -> bool:
    """Swaps two names in one step; returns False if the system does not support it."""
    if sys.platform != "linux":
        return False
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    names = os.fsencode(first), os.fsencode(second)
    return rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0


def _replace_in_two_steps(partial: pathlib.Path, target: pathlib.Path) -> None:
    previous = partial_name(target)
    target.rename(previous)
    try:
        partial.rename(target)
    except BaseException:
        previous.rename(target)
        raise
    shutil.rmtree(previous, ignore_errors=True)
