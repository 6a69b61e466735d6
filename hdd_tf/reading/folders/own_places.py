"""Refuses what a command would write to where the classes of its images lie."""

import os
import pathlib
from typing import Any

from hdd_tf.data.catalogue import FOLDER
from hdd_tf.errors import InputError
from hdd_tf.reading.folders.class_folders import FolderLister, is_litter
from hdd_tf.reading.folders.split_folders import find_splits
from hdd_tf.settings.data import CACHE_BESIDE_DATA, NO_CACHE


def refuse_own_places(config: Any) -> None:
    """Checks that no directory of a command would be a class of its own images.

    What lies beside folders that are called train and test is no class, nor is what has
    a hidden name.

    Args:
        config: The run's `Config`.

    Raises:
        InputError: one would be.
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
    folders = _read_as_classes(root)
    for name, path in inside.items():
        for folder in folders:
            if folder not in (path, *path.parents):
                continue
            names = path.relative_to(folder).parts
            if not any(map(is_litter, names)):
                what = names[0] if names else "what it keeps"
                raise InputError(
                    f"--{name}={getattr(config, name)} lies in the image folder "
                    f"{folder}, where {what} would be one of the classes: name a "
                    "directory outside of it"
                )


def _read_as_classes(root: pathlib.Path) -> set[pathlib.Path]:
    """Returns the folders in which one more folder would be a class.

    Or in which it would hide the splits, which are looked for in a folder that has no
    other beside it.
    """
    found = find_splits(root, FolderLister(root)).classes.values()
    real_root = pathlib.Path(os.path.realpath(root))
    folders = set()
    for classes in found:
        for path in classes.values():
            above = pathlib.Path(os.path.realpath(path.parent))
            folders.add(above)
            if above != real_root:
                folders |= {
                    each
                    for each in above.parent.parents
                    if real_root in (each, *each.parents)
                }
    return folders


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
