"""Which folders of a set are its splits, and which its classes."""

import dataclasses
import os
import pathlib
import unicodedata
from collections.abc import Iterable

from hdd_tf.data.catalogue import FOLDER
from hdd_tf.errors import InputError
from hdd_tf.reading.folders.class_folders import FolderLister, is_image, is_litter
from hdd_tf.reading.folders.split_names import named_split, splits_among

_SHOWN = 5
# Folders with nothing beside them that are looked into, one in the other.
_DEEPEST = 5


@dataclasses.dataclass(frozen=True)
class SplitFolders:
    """The class folders of each split.

    Attributes:
        classes: Folder of each class that a split has, `train` first, by the name that
            the class has in `train`.
        names: Names of the classes, in the order of their labels.
        notes: Lines to say, each of something that is not used.
    """

    classes: dict[str, dict[str, pathlib.Path]]
    names: tuple[str, ...]
    notes: tuple[str, ...]


def find_splits(root: pathlib.Path, lister: FolderLister) -> SplitFolders:
    """Tells splits from classes by the names of folders, in any case.

    A validation or test split without class folders is none: its images have no class.
    Names that look the same are the same class, however their accents are encoded.
    Splits may lie in a folder that has no other beside it.

    Args:
        root: The folder.
        lister: Of that folder.

    Raises:
        InputError: there are no classes, or the folders can be read in two ways.
    """
    place, top, splits = _unwrapped(root, lister)
    if not splits:
        _refuse_splits_among_classes(place, top)
        if place != root and len(top) > 1:
            raise InputError(
                f"{root} has no folder but {place.relative_to(root)}/, and that has "
                f"{_shown(path.name for path in top)}: if those are the classes, give "
                f"that folder, --dataset={FOLDER}{place}."
            )
        found = {"train": _by_name(root, top)}
    else:
        found = {
            split: _by_name(splits[split], lister.folders(splits[split]))
            for split in ("train", "validation", "test")
            if split in splits
        }
        _refuse_doubled_folders(splits, found)
    own = {key: path.name for key, path in found["train"].items()}
    if not own:
        raise InputError(
            f"{splits.get('train', root)} has no class folders: put the images of each "
            "class into a folder of its own, called like the class."
        )
    notes = []
    if place != root:
        used = ", ".join(f"{path.name}/" for path in splits.values())
        notes.append(f"{used} of {place} are read: {root} has no other folder.")
    for split in [split for split, classes in found.items() if not classes]:
        del found[split]
        notes.append(
            f"{splits[split]} has no class folders and is not used: nobody says which "
            "classes its images are of."
        )
    for split, folders in found.items():
        if strange := sorted(set(folders) - set(own)):
            raise InputError(
                f"{splits[split]} has the class {strange[0]}, but "
                f"{splits['train']} has not: name classes alike, or take it out."
            )
    if splits:
        notes += _leave_out_others(lister, top, splits, own)
    classes = {
        split: {own[key]: path for key, path in folders.items()}
        for split, folders in found.items()
    }
    return SplitFolders(classes, tuple(sorted(own.values())), tuple(notes))


def _unwrapped(
    root: pathlib.Path, lister: FolderLister
) -> tuple[pathlib.Path, list[pathlib.Path], dict[str, pathlib.Path]]:
    """Looks for splits, and for folders at all, in the only folder of a folder too.

    Returns:
        The innermost folder that was looked into, its folders and its splits.
    """
    place, top = root, lister.folders(root)
    splits = splits_among(place, top)
    for _ in range(_DEEPEST):
        if splits or len(top) != 1 or not is_wrapper(top[0]):
            break
        place, top = top[0], lister.folders(top[0])
        splits = splits_among(place, top)
    return place, top, splits


def is_wrapper(folder: pathlib.Path) -> bool:
    """Tells whether a folder has no image right in it, but folders."""
    return _has_no_image(folder) and bool(_folder_names(folder)[0])


def _by_name(
    folder: pathlib.Path, classes: list[pathlib.Path]
) -> dict[str, pathlib.Path]:
    """Returns class folders by their name in Unicode's composed form."""
    found: dict[str, pathlib.Path] = {}
    for path in classes:
        name = path.name
        if not name.isprintable() or name.strip() != name:
            raise InputError(
                f"the class folder {name!r} in {folder} has a name that no line of "
                "text can carry: rename it."
            )
        key = unicodedata.normalize("NFC", name)
        if key in found:
            raise InputError(
                f"{folder} has two class folders {name}, whose names look the same but "
                f"are encoded differently ({found[key].name!a} and "
                f"{name!a}): put their images into one, or rename one."
            )
        found[key] = path
    return found


def _refuse_doubled_folders(
    splits: dict[str, pathlib.Path], found: dict[str, dict[str, pathlib.Path]]
) -> None:
    """Refuses `train/train/CLASS`, `test/images/CLASS`: one class called train."""
    for split, classes in found.items():
        if len(classes) != 1:
            continue
        ((name, inner),) = classes.items()
        is_strange = split == "train" or name not in found["train"]
        if named_split(name) == split or (is_strange and is_wrapper(inner)):
            raise InputError(
                f"{splits[split]} holds nothing but the folder {inner.name}/: move the "
                f"class folders that lie in there up into {splits[split].name}/."
            )


def _refuse_splits_among_classes(root: pathlib.Path, top: list[pathlib.Path]) -> None:
    """Refuses "classes" that all hold the same folders: they may well be splits."""
    below = [_folder_names(path)[-1] if _has_no_image(path) else set() for path in top]
    most = max(below, key=len, default=set())
    if len(top) > 1 and all(len(names) > 1 and names <= most for names in below):
        raise InputError(
            f"the folders {_shown(path.name for path in top)} of {root} all hold the "
            f"same folders ({_shown(most)}): if those are the classes, call the "
            "folders above them train/, validation/ and test/; if not, put the images "
            "of each class right into its folder."
        )


def _leave_out_others(
    lister: FolderLister,
    top: list[pathlib.Path],
    splits: dict[str, pathlib.Path],
    own: dict[str, str],
) -> list[str]:
    """Notes what else lies beside the splits; returns a line for each other split."""
    notes = []
    for path in top:
        if path in splits.values():
            continue
        if same := set(own) & set[str]().union(*_folder_names(path)):
            notes.append(
                f"{path} has folders of the same classes as {splits['train'].name}/ "
                f"({_shown(same)}) but is not used: only "
                f"{', '.join(f'{found.name}/' for found in splits.values())} "
                "are read; to use it, call it validation or test."
            )
        else:
            lister.leave_out(path)
    return notes


def _has_no_image(folder: pathlib.Path) -> bool:
    """Tells whether no image lies right in a folder, as in one of a split."""
    try:
        return not any(is_image(pathlib.Path(name)) for name in os.listdir(folder))
    except OSError:
        return True


def _folder_names(folder: pathlib.Path) -> list[set[str]]:
    """Returns the names of the folders in a folder; one alone is looked into.

    What cannot be read has none: that is said where it is used.

    Returns:
        The names in the folder, in the only folder there, and so on.
    """
    levels: list[set[str]] = []
    while len(levels) < _DEEPEST:
        try:
            with os.scandir(folder) as entries:
                names = {
                    entry.name
                    for entry in entries
                    if entry.is_dir(follow_symlinks=False)
                }
        except OSError:
            names = set()
        names = {name for name in names if not is_litter(name)}
        levels.append({unicodedata.normalize("NFC", name) for name in names})
        if len(names) != 1:
            break
        folder = folder / names.pop()
    return levels


def _shown(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = ", ..." if len(ordered) > _SHOWN else ""
    return ", ".join(ordered[:_SHOWN]) + more
