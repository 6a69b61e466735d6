"""Everything below a directory, and links that would lead writing elsewhere."""

import os
import pathlib
from collections.abc import Iterator

from hdd_tf.errors import InputError


def entries_below(directory: str | os.PathLike) -> Iterator[os.DirEntry]:
    """Yields what lies below a directory at any depth; no link is followed.

    Unlike `os.walk` and `pathlib.Path.rglob` in Python 3.11 it does not recurse, so
    folders nested a thousand deep are no error of Python's.

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
    """Refuses a directory that has a link to somewhere outside of it, at any depth.

    The directory itself may be a link, or not be there. Whoever hands on a run could
    have made `result.json` a link to a file of the user's, which the next start would
    replace.

    Raises:
        InputError: there is such a link, named in it.
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
