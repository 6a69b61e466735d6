"""Temporary names of what is being written, and flushing it to the disk."""

import contextlib
import os
import pathlib
import shutil
import uuid
from collections.abc import Iterator

from hdd_tf.files.links import entries_below

_PARTIAL = ".partial-"
# Bytes of a name that its temporary name repeats; with the rest that makes less than
# the 255 that file systems allow.
_REPEATED = 200


def partial_name(target: pathlib.Path) -> pathlib.Path:
    """Returns a new temporary name beside `target`: hidden, `.NAME.partial-...`."""
    start = os.fsencode(target.name)[:_REPEATED].decode("utf-8", "ignore")
    return target.with_name(f".{start}{_PARTIAL}{uuid.uuid4().hex[:12]}")


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


def entries_of(directory: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields what is in a directory, but for what a killed process left behind."""
    return (path for path in directory.iterdir() if not is_leftover(path.name))


def sync_tree(directory: pathlib.Path) -> None:
    """Flushes all files and names below a directory to the disk."""
    for folder, _, names in os.walk(directory):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                os.fsync(file.fileno())
        sync_directory(folder)


def sync_directory(directory: str | os.PathLike) -> None:
    """Flushes the names in a directory to the disk, where that can be done."""
    # Some network file systems do not support this; the rename is still atomic. Nor can
    # names be flushed by whoever may write but not read there.
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
