"""Finds whether a directory holds only a distilled set, and so may be replaced."""

import os
import pathlib

from hdd_tf.artifacts.encodings.registry import ENCODINGS
from hdd_tf.artifacts.sets import set_extras
from hdd_tf.artifacts.sets.set_metadata import METADATA_FILE, read_unchecked
from hdd_tf.files.links import entries_below
from hdd_tf.files.unfinished import is_leftover


def is_distilled_set(path: str | os.PathLike) -> bool:
    """Returns True if a directory holds a distilled set and nothing else."""
    directory = pathlib.Path(path)
    # Before all that lies below a home or a disk is listed.
    if not os.path.lexists(directory / METADATA_FILE):
        return False
    try:
        files, folders = (
            {name for name in names if not is_leftover(name.partition("/")[0])}
            for names in names_below(directory)
        )
    except PermissionError:  # No export makes folders that its owner cannot read.
        return False
    if METADATA_FILE not in files:
        return False
    files -= {METADATA_FILE}
    described = read_unchecked(directory / METADATA_FILE)
    if described is None:
        # A set with a damaged description is recognised by the fixed names of its
        # files.
        known = any(
            files <= encoding.files | set_extras.FILES
            for encoding in ENCODINGS.values()
        )
        return known and folders <= set_extras.FOLDERS
    metadata, encoding = described
    owned = encoding.owned(metadata) | set_extras.owned_files(metadata)
    inside = encoding.folders(metadata) | set_extras.folders(metadata)
    return files <= owned and folders <= inside


def names_below(directory: pathlib.Path) -> tuple[set[str], set[str]]:
    """Returns the relative names of all files, and of all folders, at any depth.

    A link counts as a file, whatever its target.
    """
    files: set[str] = set()
    folders: set[str] = set()
    if directory.is_dir():
        for entry in entries_below(directory):
            is_folder = entry.is_dir(follow_symlinks=False)
            (folders if is_folder else files).add(
                pathlib.Path(entry.path).relative_to(directory).as_posix()
            )
    return files, folders
