"""Atomic writes of files and directories.

Everything is written under a temporary name beside its target, flushed to the disk and
renamed. A reader, or a run resumed after a crash, therefore never finds half a file
under its final name. Temporary names are hidden (`.NAME.partial-...`), and
`remove_leftovers` removes the temporary files of killed processes.
"""

import contextlib
import ctypes
import errno
import os
import pathlib
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from hdd_tf.files.json_text import json_text, json_text_of_numbers
from hdd_tf.files.links import entries_below

_PARTIAL = ".partial-"
# Bytes of a name that its temporary name repeats; with the rest that makes less than
# the 255 that file systems allow.
_REPEATED = 200
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
    partial = _partial_name(target)
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        name(partial, target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync_directory(target.parent)


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

    A directory that cannot be replaced, because something is mounted there, its parent
    cannot be written to, or this process works in it, gets the files one by one, at the
    end, in place of those that it has.

    Args:
        path: Final name of the directory; missing parents are created.

    Yields:
        An empty directory beside `path`, or in it.

    Raises:
        OSError: the directory cannot be written.
    """
    target = pathlib.Path(path).resolve()
    _make_directory(target.parent)
    partial = _partial_name(target / target.name if _stays(target) else target)
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
    _sync_tree(partial)
    if partial.parent == target:
        _fill(partial, target)
    elif not target.is_dir():
        partial.rename(target)
    elif not _exchange(partial, target):
        _replace_in_two_steps(partial, target)
    else:
        # This name refers to the old directory now.
        shutil.rmtree(partial, ignore_errors=True)
    _sync_directory(target.parent)


def remove_leftovers(directory: str | os.PathLike) -> None:
    """Removes the temporary files of killed processes anywhere below `directory`.

    No other process may be writing in the directory.
    """
    for entry in list(entries_below(directory)):
        if not is_leftover(entry.name):
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            pathlib.Path(entry.path).unlink(missing_ok=True)


def is_leftover(name: str) -> bool:
    """Returns True if a name is the temporary name of an unfinished write."""
    return name.startswith(".") and _PARTIAL in name


def _make_directory(directory: pathlib.Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        # Python's own message, "File exists", would mislead: a parent is a file.
        raise NotADirectoryError(
            errno.ENOTDIR, os.strerror(errno.ENOTDIR), error.filename
        ) from error


def _partial_name(target: pathlib.Path) -> pathlib.Path:
    start = os.fsencode(target.name)[:_REPEATED].decode("utf-8", "ignore")
    return target.with_name(f".{start}{_PARTIAL}{uuid.uuid4().hex[:12]}")


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
    previous = _partial_name(target)
    target.rename(previous)
    try:
        partial.rename(target)
    except BaseException:
        previous.rename(target)
        raise
    shutil.rmtree(previous, ignore_errors=True)


def _stays(target: pathlib.Path) -> bool:
    """Returns whether another directory cannot take the place of an existing one."""
    if not target.is_dir():
        return False
    with contextlib.suppress(OSError):  # The working directory may be gone.
        place = pathlib.Path.cwd()
        if target in (place, *place.parents):
            return True
    above_is_ours = os.access(target.parent, os.W_OK | os.X_OK)
    return os.path.ismount(target) or not above_is_ours


def _fill(partial: pathlib.Path, target: pathlib.Path) -> None:
    """Moves the entries of `partial` up into `target`, which it lies in."""
    previous = _partial_name(target / target.name)
    previous.mkdir()
    moved: list[tuple[pathlib.Path, pathlib.Path]] = []
    try:
        old = [entry for entry in target.iterdir() if entry not in (partial, previous)]
        for place, entries in ((previous, old), (target, list(partial.iterdir()))):
            for entry in entries:
                entry.rename(place / entry.name)
                moved.append((entry, place / entry.name))
    except BaseException:
        for entry, now in reversed(moved):
            now.rename(entry)
        previous.rmdir()
        raise
    _sync_directory(target)
    shutil.rmtree(previous, ignore_errors=True)
    partial.rmdir()


def _sync_tree(directory: pathlib.Path) -> None:
    for folder, _, names in os.walk(directory):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                os.fsync(file.fileno())
        _sync_directory(folder)


def _sync_directory(directory: str | os.PathLike) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        # Some network file systems do not support this; the rename is still atomic.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
