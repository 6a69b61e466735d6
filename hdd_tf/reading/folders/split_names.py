"""Names of folders that are splits, in any spelling."""

import pathlib
from collections.abc import Iterable

from hdd_tf.errors import InputError

_PLAIN = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
# A class could be called so too: these count only where they complete a split.
_OTHERS = {
    **dict.fromkeys(("seg_train", "train_set", "training_set", "trainset"), "train"),
    **dict.fromkeys(
        ("seg_val", "val_set", "valid_set", "validation_set", "valset"), "validation"
    ),
    **dict.fromkeys(
        ("testing", "seg_test", "test_set", "testing_set", "testset"), "test"
    ),
}


def named_split(name: str) -> str | None:
    """Returns the split that a folder of some name may be; None for a class."""
    return (_PLAIN | _OTHERS).get(name.lower())


def splits_among(
    root: pathlib.Path, top: list[pathlib.Path]
) -> dict[str, pathlib.Path]:
    """Returns the folder of each split; none where the folders are classes.

    Args:
        root: Where the folders lie.
        top: The folders.

    Raises:
        InputError: two are of one split, or a split is not beside `train`.
    """
    plain = _named(root, top, _PLAIN)
    others = {
        split: path
        for split, path in _named(root, top, _OTHERS, known=plain).items()
        if split not in plain
    }
    # Such as a class of toys called trainset, and one called testing beside others.
    if "train" in plain or ("train" in others and len(plain) + len(others) > 1):
        return plain | others
    if plain:
        raise InputError(
            f"{root} has {', '.join(path.name for path in plain.values())}/ but no "
            "train/: add it, or rename a class that is called so."
        )
    return {}


def _named(
    root: pathlib.Path,
    top: list[pathlib.Path],
    names: dict[str, str],
    known: Iterable[str] = (),
) -> dict[str, pathlib.Path]:
    """Returns the folders that `names` calls splits, but for the splits in `known`."""
    splits: dict[str, pathlib.Path] = {}
    for path in top:
        split = names.get(path.name.lower().replace("-", "_"))
        if split is None or split in known:
            continue
        if split in splits:
            raise InputError(
                f"{root} has both {splits[split].name}/ and {path.name}/: keep one of "
                "them."
            )
        splits[split] = path
    return splits
