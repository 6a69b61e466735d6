"""The user's own images, in folders of their class: `--dataset=folder:DIR`."""

import logging
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from hdd_tf.data.catalogue import FOLDER
from hdd_tf.data.dataset import LabelledImages, SourceImages
from hdd_tf.data.memory import check_memory
from hdd_tf.data.splits import draw_held_out
from hdd_tf.data.subsets import kept_names, kept_rows, renumber, resolve_classes
from hdd_tf.errors import InputError
from hdd_tf.reading.class_folders import FolderLister, ImageFiles, list_classes
from hdd_tf.reading.image_files import read_header, read_images

_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
_TEST_FRACTION = 0.2
# Not of the run's seed: scores of different seeds are of the same images.
_TEST_STREAM = (0x7E57,)
_LOG = logging.getLogger(__name__)


def read_folder(
    directory: str,
    image_size: tuple[int, int] | None = None,
    classes: Sequence[str] = (),
) -> SourceImages:
    """Reads a folder of class folders, or one of `train/`, `validation/`, `test/`.

    A class is called like its folder, and classes are numbered in the order of their
    names. Without `test/` the validation split serves as one, without both a fifth of
    each class is held out, which a line says. Images stay gray if all of them are;
    otherwise all are read as RGB.

    Args:
        directory: The folder.
        image_size: Height and width to fit each image to (see `image_files.fit_image`);
            None where all have one size already.
        classes: Indices or names of the classes to keep; empty for all.

    Raises:
        InputError: the folder, or what lies in it, cannot be used as it is.
    """
    root = pathlib.Path(directory).expanduser()
    if not root.is_dir():
        raise InputError(
            f"--dataset={FOLDER}{directory}: there is no such folder; give one that "
            "holds a folder of images for each class."
        )
    lister = FolderLister(root)
    listed, label_names = _list_splits(root, lister)
    kept = resolve_classes(classes, label_names)
    files = {}
    for split, whole in listed.items():
        part = whole.take(kept_rows(whole.labels, kept))
        files[split] = ImageFiles(part.paths, renumber(part.labels, kept))
    label_names = kept_names(label_names, kept)
    if len(label_names) < 2:
        raise InputError(
            f"{root} has {len(label_names)} class ({', '.join(label_names)}); at least "
            "two are needed to tell apart, each in a folder of its own."
        )
    files, note = _with_test_split(root, files, len(label_names))
    size, channels = _common_format(files, image_size)
    num_training, *others = (len(part.paths) for part in files.values())
    check_memory(str(root), num_training, sum(others), (*size, channels))
    read = {
        split: LabelledImages(read_images(part.paths, channels, size), part.labels)
        for split, part in files.items()
    }
    # Only now: what cannot be used is answered in one line.
    lister.warn_of_left_out()
    if note:
        _LOG.warning("%s", note)
    return SourceImages(
        FOLDER + os.path.basename(os.path.abspath(root)),
        read["train"],
        read.get("validation"),
        read["test"],
        label_names,
        num_training,
        len(read["test"].labels),
    )


def _list_splits(
    root: pathlib.Path, lister: FolderLister
) -> tuple[dict[str, ImageFiles], tuple[str, ...]]:
    """Returns the files of each split, `train` first, and the names of the classes."""
    top = {path.name: path for path in lister.folders(root)}
    splits: dict[str, pathlib.Path] = {}
    for name, path in top.items():
        split = _SPLITS.get(name.lower())
        if split in splits:
            raise InputError(
                f"{root} has both {splits[split].name}/ and {name}/: keep one of them."
            )
        if split:
            splits[split] = path
    if not splits:
        folders = {"train": top}
    elif "train" in splits:
        for path in top.values():
            if path not in splits.values():
                lister.leave_out(path)
        folders = {
            split: {path.name: path for path in lister.folders(splits[split])}
            for split in ("train", "validation", "test")
            if split in splits
        }
    else:
        raise InputError(
            f"{root} has {', '.join(path.name for path in splits.values())}/ but no "
            "train/: add it, or rename a class that is called so."
        )
    names = tuple(sorted(folders["train"]))
    if not names:
        raise InputError(
            f"{splits.get('train', root)} has no class folders: put the images of each "
            "class into a folder of its own, called like the class."
        )
    for name in names:
        if not name.isprintable() or name.strip() != name:
            raise InputError(
                f"the class folder {name!r} in {root} has a name that no line of text "
                "can carry: rename it."
            )
    for split, found in folders.items():
        if strange := sorted(set(found) - set(names)):
            raise InputError(
                f"{splits[split]} has the class {strange[0]}, but "
                f"{splits['train']} has not: name classes alike, or take it out."
            )
    listed = {
        split: list_classes(lister, found, list(names))
        for split, found in folders.items()
    }
    return listed, names


def _with_test_split(
    root: pathlib.Path, files: dict[str, ImageFiles], num_classes: int
) -> tuple[dict[str, ImageFiles], str]:
    """Returns the splits with `test` among them, and a line if it is not their own."""
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


def _common_format(
    files: dict[str, ImageFiles], image_size: tuple[int, int] | None
) -> tuple[tuple[int, int], int]:
    """Returns the size and the number of channels that all images will have."""
    gray = True
    first: dict[tuple[int, int], pathlib.Path] = {}
    for part in files.values():
        for path in part.paths:
            header = read_header(path)
            gray = gray and header.gray
            first.setdefault((header.height, header.width), path)
    if image_size is None and len(first) > 1:
        shown = " and ".join(
            f"{height}x{width} ({path})"
            for (height, width), path in list(first.items())[:2]
        )
        raise InputError(
            f"the images have different sizes, such as {shown}: give the one to bring "
            "them to with --image_size, such as --image_size=64."
        )
    return image_size or next(iter(first)), 1 if gray else 3
