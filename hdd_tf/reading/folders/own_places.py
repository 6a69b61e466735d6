"""Refuses what a command would write to where the classes of its images lie."""

import os
import pathlib
from typing import Any

from hdd_tf.data.catalogue import FOLDER
from hdd_tf.errors import InputError
from hdd_tf.reading.folders.class_folders import FolderLister, is_litter
from hdd_tf.reading.folders.split_folders import find_splits
from hdd_tf.reading.folders.split_names import named_split
from hdd_tf.settings.data import CACHE_BESIDE_DATA, NO_CACHE


def refuse_own_places(config: Any) -> None:
    """Checks that no directory of a command would be a class of its own images.

    What lies beside folders that are called train and test is no class, nor is what has
    a hidden name.

    Args:
        config: The run's `Config`.

    Raises:
        InputError: one would be, or would be a split or hide the splits.
    """
    if not config.dataset.startswith(FOLDER):
        return
    root = pathlib.Path(config.dataset.removeprefix(FOLDER)).expanduser()
    real_root = pathlib.Path(os.path.realpath(root))
    inside = {
        name: path
        for name, path in _written(config).items()
        if real_root in (path, *path.parents)
    }
    if not inside or not root.is_dir():
        return
    splits = find_splits(root, FolderLister(root)).classes.values()
    above = {
        pathlib.Path(os.path.realpath(folder.parent))
        for classes in splits
        for folder in classes.values()
    }
    for name, path in inside.items():
        if any(map(is_litter, path.relative_to(real_root).parts)):
            continue
        if what := _what_it_would_be(path, real_root, above):
            raise InputError(
                f"--{name}={getattr(config, name)} lies in the image folder {root}, "
                f"where {what}: name a directory outside of it"
            )


def _what_it_would_be(
    path: pathlib.Path, root: pathlib.Path, above: set[pathlib.Path]
) -> str:
    """Returns what a directory would be taken for; empty for nothing.

    Args:
        path: The directory, in the root.
        root: The image folder.
        above: The folders in which the class folders lie, all in the root.
    """
    for folder in above:
        if folder in (path, *path.parents):
            names = path.relative_to(folder).parts
            return f"{names[0] if names else 'what it keeps'} would be a class"
    for folder in above:
        # Where splits lie, and the folders with no other beside them that lead there.
        place = folder.parent
        for outer in (place, *place.parents):
            if root not in (outer, *outer.parents) or outer not in path.parents:
                continue
            first = path.relative_to(outer).parts[0]
            leads_there = outer / first in (place, *place.parents)
            if outer != place and not leads_there:
                return f"{first} would hide the folders of the splits"
            if outer == place and named_split(first):
                return f"{first} would be a split"
    return ""


def _written(config: Any) -> dict[str, pathlib.Path]:
    """Returns the directories that a command may write to, by their settings."""
    names = ["run_dir"] if config.run_dir else []
    if config.analysis or config.traits.ahead_source or config.keep_fraction < 1:
        names.append("expert_dir")
    if config.bank_over == "all":
        names.append("bank_dir")
    if config.data_cache not in ("", CACHE_BESIDE_DATA, NO_CACHE):
        names.append("data_cache")
    return {n: pathlib.Path(os.path.realpath(getattr(config, n))) for n in names}
