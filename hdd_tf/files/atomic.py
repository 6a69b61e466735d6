"""Atomic writes of files and directories.

Everything is written under a temporary name beside its target, flushed to the disk and
renamed. A reader, or a run resumed after a crash, therefore never finds half a file
under its final name. Temporary names are hidden (`.NAME.partial-...`), and
`remove_leftovers` removes the temporary files of killed processes.
"""

import contextlib
import ctypes
import errno
import json
import math
import os
import pathlib
import re
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hdd_tf.files.links import entries_below

_PARTIAL = ".partial-"
# Bytes of a name that its temporary name repeats; with the rest that makes less than
# the 255 that file systems allow.
_REPEATED = 200
# From <linux/fcntl.h> and <linux/fs.h>.
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
# A list of numbers as json writes it, indented; a text would have quotation marks.
_NUMBERS = re.compile(r"\[(?:\s+(?:-?\d[-+.\deE]*|null),?)+\s+\]")


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


def json_text_of_numbers(value: Any) -> str:
    """Returns `json_text(value)` with each list of numbers on one line."""
    return _NUMBERS.sub(lambda match: " ".join(match[0].split()), json_text(value))


def json_text(value: Any) -> str:
    """Returns `to_plain(value)` as indented JSON with a final newline."""
    text = json.dumps(to_plain(value), indent=2, ensure_ascii=False, allow_nan=False)
    return text + "\n"


def to_plain(value: Any) -> Any:
    """Turns nested values into values of JSON, which are equal after a write and read.

    NumPy and TensorFlow values become numbers and lists, tuples become lists, and paths
    become strings. Numbers that are not finite become None, because JSON has none, and
    a long run must not fail while it writes its result.
    """
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "numpy"):
        value = value.numpy()
    if hasattr(value, "tolist"):
        return to_plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@contextlib.contextmanager
def new_directory(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Creates a directory to fill, which gets its final name when the block succeeds.

    A directory at `path` is replaced as a whole: the name always refers to either the
    old or the new directory. (Linux swaps two names in one step. On other systems there
    is a moment without a directory, and an error in it restores the old directory.) If
    the block raises an error, nothing has changed.

    Args:
        path: Final name of the directory; missing parents are created.

    Yields:
        An empty directory beside `path`.

    Raises:
        OSError: the directory cannot be written.
    """
    target = pathlib.Path(path).resolve()
    _make_directory(target.parent)
    partial = _partial_name(target)
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
        target: A name beside it; a directory of that name is replaced as a whole.

    Raises:
        OSError: the names cannot be changed.
    """
    _sync_tree(partial)
    if not target.is_dir():
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
