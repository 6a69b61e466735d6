"""Finds and reads the files of a distilled set with NumPy alone.

hdd_tf.json says what is in a set. Beside its images there may be epoch_labels.npz,
whitening.npz and teacher/, a SavedModel; all files but its own are read here.
"""

import argparse
import json
import pathlib
import sys
import zipfile
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

_EPOCH_LABELS = ("rows", "boxes", "flips", "partners", "cuts", "logits")
# What reading a damaged file raises.
DAMAGED_FILE = (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile)


def fail(message: str) -> NoReturn:
    """Says in one line what is wrong with the input, and ends with exit code 2."""
    print(f"{pathlib.Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    raise SystemExit(2)


def fail_damaged(directory: pathlib.Path) -> NoReturn:
    """Ends with exit code 2, for the files of a set cannot be read."""
    fail(f"the set in {directory} is damaged: copy or export it anew")


def count(text: str) -> int:
    """Returns the number that a flag gives, 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def find_set(
    path: pathlib.Path, parts: Sequence[str] = ("synthetic",)
) -> tuple[pathlib.Path, dict]:
    """Returns the directory of a distilled set, and the contents of its hdd_tf.json.

    Args:
        path: The set's directory, or that of the run it belongs to.
        parts: Where in a run to look, the best place first.

    Raises:
        SystemExit: there is none, or its description is damaged.
    """
    places = [path, *(path / part for part in parts)]
    found = [place for place in places if (place / "hdd_tf.json").is_file()]
    if not found:
        fail(f"no distilled set in {path}: give a run or its synthetic/")
    try:
        metadata = json.loads((found[0] / "hdd_tf.json").read_text("utf-8"))
    except (OSError, ValueError):
        metadata = None
    if not isinstance(metadata, dict):
        fail_damaged(found[0])
    return found[0], metadata


def read_arrays(path: pathlib.Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns arrays of an .npz file by name; raises one of `DAMAGED_FILE`."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in names}


def read_extras(directory: pathlib.Path, metadata: dict) -> dict[str, Any]:
    """Returns metadata with the arrays of what a set carries beside its images.

    Args:
        directory: The set's directory.
        metadata: Contents of its hdd_tf.json.

    Raises:
        OSError, ValueError, KeyError, BadZipFile: a file is damaged.
    """
    found = dict(metadata)
    if "whitening" in metadata:
        arrays = read_arrays(directory / "whitening.npz", ("mean", "vectors", "values"))
        found["whitening"] = {**metadata["whitening"], **arrays}
    if "epoch_labels" in metadata:
        arrays = read_arrays(directory / "epoch_labels.npz", _EPOCH_LABELS)
        found["epoch_labels"] = {**metadata["epoch_labels"], **arrays}
    return found


def check_teacher(directory: pathlib.Path, metadata: dict) -> None:
    """Checks that a teacher's logits are in the order of the set's classes.

    Args:
        directory: The set's directory.
        metadata: Contents of its hdd_tf.json.

    Raises:
        SystemExit: the teacher records another order, or none.
    """
    try:
        text = (directory / "teacher" / "hdd_tf.json").read_text("utf-8")
        order = json.loads(text).get("label_names")
    except (OSError, ValueError, AttributeError):
        fail_damaged(directory)
    if order != metadata["label_names"]:
        fail(f"the teacher in {directory} has no order of classes, or not the set's")
