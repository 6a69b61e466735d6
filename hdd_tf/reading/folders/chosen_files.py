"""Which files of a folder are read, and as which split."""

import pathlib
from collections.abc import Sequence

import numpy as np

from hdd_tf.data.splits import draw_held_out
from hdd_tf.data.subsets import kept_names, kept_rows, renumber, resolve_classes
from hdd_tf.errors import InputError
from hdd_tf.reading.folders.class_folders import FolderLister, ImageFiles, list_classes
from hdd_tf.reading.folders.split_folders import SplitFolders

_TEST_FRACTION = 0.2
# Not of the run's seed: scores of different seeds are of the same images.
_TEST_STREAM = (0x7E57,)


def chosen_files(
    lister: FolderLister, found: SplitFolders, classes: Sequence[str]
) -> tuple[dict[str, ImageFiles], tuple[str, ...]]:
    """Returns the files of the classes to keep, by split, and the classes' names.

    Args:
        lister: Of the folder.
        found: Its splits.
        classes: Indices or names of the classes to keep; empty for all.

    Raises:
        InputError: there is no such class, or a class has no images.
    """
    names = list(found.names)
    kept = resolve_classes(classes, names)
    files = {}
    for split, folders in found.classes.items():
        whole = list_classes(lister, folders, names)
        part = whole.take(kept_rows(whole.labels, kept))
        files[split] = ImageFiles(part.paths, renumber(part.labels, kept))
    return files, kept_names(names, kept)


def with_test_split(
    root: pathlib.Path, files: dict[str, ImageFiles], num_classes: int
) -> tuple[dict[str, ImageFiles], str]:
    """Returns the splits with `test` among them, and a line if it is not their own.

    Args:
        root: The folder.
        files: Its files, by split.
        num_classes: Number of classes.

    Raises:
        InputError: there is no test split, and there are too few images for one.
    """
    if "test" in files:
        return files, ""
    training = files["train"]
    if "validation" in files:
        note = f"{root} has no test split: its validation split serves as one."
        return {"train": training, "test": files["validation"]}, note
    held_out = draw_held_out(training.labels, num_classes, _TEST_FRACTION, _TEST_STREAM)
    if not held_out.any():
        raise InputError(
            f"{root} has no test split, and too few images to hold some out: put "
            "some into test/ and the others into train/."
        )
    parts = {
        "train": training.take(np.flatnonzero(~held_out)),
        "test": training.take(np.flatnonzero(held_out)),
    }
    return parts, (
        f"{root} has no test split: {np.count_nonzero(held_out)} of its "
        f"{len(held_out)} images are held out as one, {_TEST_FRACTION:.0%} of each "
        "class and the same for every --seed; to choose them, put them into test/ and "
        "the others into train/."
    )
