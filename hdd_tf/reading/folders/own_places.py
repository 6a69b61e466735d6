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
        if real_root in path.parents
    }
    if not inside or not root.is_dir():
        return
    found = find_splits(root, FolderLister(root)).classes.values()
    above = {
        pathlib.Path(os.path.realpath(folder.parent))
        for classes in found
        for folder in classes.values()
    }
    for name, path in inside.items():
        for folder in above:
            if folder not in path.parents:
                continue
            names = path.relative_to(folder).parts
            if not any(map(is_litter, names)):
                raise InputError(
                    f"--{name}={getattr(config, name)} lies in the image folder "
                    f"{folder}, where {names[0]} would be one of the classes: name a "
                    "directory outside of it"
                )


def _written(config: Any) -> dict[str, pathlib.Path]:
    """Returns the directories that a command may write to, by their settings."""
    names = ["run_dir"] if config.run_dir else []
    if config.analysis or config.traits.ahead_source:
        names.append("expert_dir")
    if config.bank_over == "all":
        names.append("bank_dir")
    if config.data_cache not in ("", CACHE_BESIDE_DATA, NO_CACHE):
        names.append("data_cache")
    return {n: pathlib.Path(os.path.realpath(getattr(config, n))) for n in names}
