"""Images that symbolic links put into several classes or splits of a folder."""

import functools
import os
import pathlib
from collections.abc import Mapping, Sequence

from hdd_tf.reading.folders.class_folders import ImageFiles


def remarks_on_links(
    files: Mapping[str, ImageFiles], label_names: Sequence[str]
) -> list[str]:
    """Returns a line if an image has several classes, and one if it is in two splits.

    Args:
        files: Files of each split, `train` first.
        label_names: Names of the classes.
    """
    place_of = functools.cache(os.path.realpath)
    first: dict[tuple[str, str], tuple[pathlib.Path, str, int]] = {}
    in_classes: list[tuple[pathlib.Path, pathlib.Path, str]] = []
    in_splits: list[tuple[pathlib.Path, pathlib.Path, str]] = []
    for split, part in files.items():
        for path, label in zip(part.paths, part.labels.tolist(), strict=True):
            real = path if not path.is_symlink() else pathlib.Path(place_of(path))
            key = (place_of(real.parent), real.name)
            other, its_split, its_label = first.setdefault(key, (path, split, label))
            if its_label != label:
                both = f"{label_names[its_label]} and {label_names[label]}"
                in_classes.append((other, path, both))
            elif its_split != split:
                in_splits.append((other, path, f"{its_split} and {split}"))
    return [
        f"{len(found)} images are in two {kind} through symbolic links, such as "
        f"{found[0][0]} and {found[0][1]} in {found[0][2]}: {advice}."
        for found, kind, advice in (
            (in_classes, "classes", "take the links out unless both are meant"),
            (in_splits, "splits", "scores are of images that were seen before"),
        )
        if found
    ]
