"""Files and directories that appear whole or not at all.

Everything is written under a temporary name beside its target, flushed to the disk
and renamed. So a reader, and a run resumed after a crash, never meets half of a file
under its final name. Temporary names are hidden (`.NAME.partial-...`); what a killed
process left behind is removed with `remove_leftovers`.
"""

import contextlib
import ctypes
import errno
import json
import math
import os
import pathlib
import shutil
import sys
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from hdd_tf.files.links import entries_below

_PARTIAL = ".partial-"
# From <linux/fcntl.h> and <linux/fs.h>.
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Writes a file, replacing one that is there; creates missing parents."""
    target = pathlib.Path(path).resolve()
    _make_directory(target.parent)
    partial = _partial_name(target)
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
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


def json_text(value: Any) -> str:
    """Returns `to_plain(value)` as indented JSON with a final newline."""
    text = json.dumps(to_plain(value), indent=2, ensure_ascii=False, allow_nan=False)
    return text + "\n"


def to_plain(value: Any) -> Any:
    """Turns a nest of values into what JSON can hold, so that it compares after a read.

    NumPy and TensorFlow values become numbers and lists, tuples lists, paths strings.
    Numbers that are not finite become None: JSON has no word for them, and a long run
    must not fail over one of them while it writes its result.
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
    """Gives a directory to fill; it takes its final name when the block ends well.

    A directory that is there is replaced as a whole: the name always means either the
    old one or the new one. (Where the system cannot swap two names in one step, which
    Linux can, there is a moment with neither; an error in it puts the old one back.)
    If the block raises, nothing has changed.

    Args:
        path: The final name; missing parents are created.

    Yields:
        An empty directory beside `path`.
    """
    target = pathlib.Path(path).resolve()
    _make_directory(target.parent)
    partial = _partial_name(target)
    # Not tempfile.mkdtemp, whose directories other users cannot read.
    partial.mkdir()
    try:
        yield partial
        _sync_tree(partial)
        if not target.is_dir():
            partial.rename(target)
        elif not _exchange(partial, target):
            _replace_in_two_steps(partial, target)
        _sync_directory(target.parent)
    finally:
        # After a swap this name holds the old directory.
        shutil.rmtree(partial, ignore_errors=True)


def remove_leftovers(directory: str | os.PathLike) -> None:
    """Removes what killed processes left half-written anywhere below `directory`.

    Only for a directory in which no other process is writing.
    """
    for entry in list(entries_below(directory)):
        if not is_leftover(entry.name):
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            pathlib.Path(entry.path).unlink(missing_ok=True)


def is_leftover(name: str) -> bool:
    """Says whether a name is one that an unfinished write goes by."""
    return name.startswith(".") and _PARTIAL in name


def _make_directory(directory: pathlib.Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        # Python's own message, "File exists", would be about the wrong thing.
        raise NotADirectoryError(
            errno.ENOTDIR, os.strerror(errno.ENOTDIR), error.filename
        ) from error


def _partial_name(target: pathlib.Path) -> pathlib.Path:
    return target.with_name(f".{target.name}{_PARTIAL}{uuid.uuid4().hex[:12]}")


def _exchange(first: pathlib.Path, second: pathlib.Path) -> bool:
    """Swaps two names in one step; False where system or file system cannot."""
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
        # Some network file systems refuse this; the rename is atomic all the same.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
