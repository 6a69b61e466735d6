"""The extras of a set beside images and labels: files that all encodings share.

    epoch_labels.npz    the labels of every view in a number of epochs
    whitening.npz       mean, eigenvectors and eigenvalues of the training images
    beside.npz          images of other sets with the same labels, scored beside the set
    teacher/            the networks that label a student's views; see teacher_files.py

A learnt rate is a number in `hdd_tf.json`, and soft labels are stored with the images.
A set without extras has neither such files nor such entries.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hdd_tf.artifacts import run_records
from hdd_tf.artifacts.encodings.base import SOFT_LABELS, SOFT_LABELS_KEY
from hdd_tf.artifacts.sets import teacher_files
from hdd_tf.artifacts.sets.set_content import DistilledSet
from hdd_tf.data.epoch_labels import EpochLabels
from hdd_tf.data.normalisation import Whitening
from hdd_tf.files.npz_file import read_npz, write_npz

EPOCH_LABELS_FILE = "epoch_labels.npz"
WHITENING_FILE = "whitening.npz"
_BESIDE_FILE = "beside.npz"
# More sets are scored beside none.
_MOST_BESIDE = 8
# Names of every file and folder that a set of any encoding may have.
FILES = teacher_files.FILES | {EPOCH_LABELS_FILE, WHITENING_FILE, _BESIDE_FILE}
FOLDERS = teacher_files.FOLDERS


def describe_extras(distilled_set: DistilledSet) -> dict[str, Any]:
    """Returns the entries of hdd_tf.json for a set's extras, empty without extras.

    Raises:
        InputError: a set cannot hold the networks of the teacher.
    """
    entries: dict[str, Any] = {}
    if distilled_set.label_logits is not None:
        entries[SOFT_LABELS_KEY] = SOFT_LABELS
    if distilled_set.student_rate is not None:
        entries["student_rate"] = float(distilled_set.student_rate)
    if distilled_set.teacher is not None:
        entries["teacher"] = teacher_files.describe_teacher(distilled_set.teacher)
    if (labels := distilled_set.epoch_labels) is not None:
        entries["epoch_labels"] = {
            "epochs": labels.num_epochs,
            "batch_size": labels.batch_size,
        }
    if distilled_set.whitening is not None:
        entries["whitening"] = {"epsilon": float(distilled_set.whitening.epsilon)}
    if distilled_set.beside:
        entries["beside"] = sorted(distilled_set.beside)
    return entries


def without_extras(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Returns metadata without the entries of `describe_extras`."""
    return {key: value for key, value in metadata.items() if key not in RIGHT}


def write_extras(
    directory: pathlib.Path, distilled_set: DistilledSet, order: np.ndarray
) -> None:
    """Writes the files of the extras.

    Args:
        directory: Directory of the set.
        distilled_set: The set.
        order: `[n]` rows of the set in the order of its images in the files.

    Raises:
        InputError: the teacher cannot be written.
    """
    if (labels := distilled_set.epoch_labels) is not None:
        arrays = _arrays(labels)
        # Epoch labels refer to images by number, and some encodings reorder images.
        places = np.empty(len(order), np.int32)
        places[order] = np.arange(len(order), dtype=np.int32)
        arrays["rows"] = places[labels.rows]
        write_npz(directory / EPOCH_LABELS_FILE, arrays)
    if (whitening := distilled_set.whitening) is not None:
        write_npz(directory / WHITENING_FILE, whitening_arrays(whitening))
    if distilled_set.beside:
        arrays = {name: images[order] for name, images in distilled_set.beside.items()}
        write_npz(directory / _BESIDE_FILE, arrays)
    if distilled_set.teacher is not None:
        teacher_files.write_teacher(
            directory,
            distilled_set.teacher,
            distilled_set.normalisation,
            [str(name) for name in distilled_set.metadata["label_names"]],
        )


def read_extras(directory: pathlib.Path, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Reads the files of the extras, whose checksums agree.

    Args:
        directory: Directory of the set.
        metadata: Contents of hdd_tf.json, which have passed the checks of `RIGHT`.

    Returns:
        Arguments of `DistilledSet`, without the soft labels.

    Raises:
        InputError: the teacher's classes are not in the order of the set's.
        ValueError, tf.errors.OpError: the files do not match `metadata`.
    """
    found: dict[str, Any] = {"student_rate": metadata.get("student_rate")}
    if described := metadata.get("epoch_labels"):
        found["epoch_labels"] = _read_epoch_labels(
            directory / EPOCH_LABELS_FILE, described, metadata
        )
    if described := metadata.get("whitening"):
        size = int(np.prod(metadata["image_shape"], dtype=object))
        arrays = read_npz(directory / WHITENING_FILE, whitening_kinds(size))
        found["whitening"] = Whitening(**arrays, epsilon=described["epsilon"])
    if described := metadata.get("beside"):
        shape = metadata["num_images"], *metadata["image_shape"]
        kinds = dict.fromkeys(described, (np.float32, shape))
        found["beside"] = dict(read_npz(directory / _BESIDE_FILE, kinds))
    if described := metadata.get("teacher"):
        height, width, channels = metadata["image_shape"]
        found["teacher"] = teacher_files.read_teacher(
            directory,
            described,
            (height, width, channels),
            metadata["label_names"],
        )
    return found


def owned_files(metadata: Mapping[str, Any]) -> set[str]:
    """Returns the names, relative to the set, of the extras' files in `metadata`."""
    owned: set[str] = set()
    if "epoch_labels" in metadata:
        owned.add(EPOCH_LABELS_FILE)
    if "whitening" in metadata:
        owned.add(WHITENING_FILE)
    if "beside" in metadata:
        owned.add(_BESIDE_FILE)
    return owned | teacher_files.FILES if "teacher" in metadata else owned


def folders(metadata: Mapping[str, Any]) -> set[str]:
    """Returns the names, relative to the set, of the folders of these files."""
    return set(teacher_files.FOLDERS) if "teacher" in metadata else set()


def whitening_arrays(whitening: Whitening) -> dict[str, np.ndarray]:
    """Returns the arrays of a whitening, without its epsilon."""
    return {name: getattr(whitening, name) for name in whitening_kinds(0)}


def whitening_kinds(size: int) -> dict[str, tuple[type, tuple[int, ...]]]:
    """Returns the dtype and shape of each array of a whitening.

    Args:
        size: Number of values in an image.
    """
    shapes = {"mean": (size,), "vectors": (size, size), "values": (size,)}
    return {name: (np.float32, shape) for name, shape in shapes.items()}


def _arrays(labels: EpochLabels) -> dict[str, np.ndarray]:
    return {
        field.name: getattr(labels, field.name)
        for field in dataclasses.fields(labels)
        if field.name != "batch_size"
    }


def _read_epoch_labels(
    path: pathlib.Path, described: Mapping[str, Any], metadata: Mapping[str, Any]
) -> EpochLabels:
    epochs, batch_size = described["epochs"], described["batch_size"]
    count, classes = metadata["num_images"], len(metadata["label_names"])
    expected = {
        "rows": (np.int32, (epochs, count)),
        "boxes": (np.int16, (epochs, count, 4)),
        "flips": (np.bool_, (epochs, count)),
        "partners": (np.int32, (epochs, count)),
        "cuts": (np.int16, (epochs, -(-count // batch_size), 4)),
        "logits": (np.float16, (epochs, count, classes)),
    }
    return EpochLabels(**read_npz(path, expected), batch_size=batch_size)


def _is_count(value: Any) -> bool:
    return run_records.is_count(value) and 0 < value < 2**31


def _are_epochs(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"epochs", "batch_size"}
        and all(map(_is_count, value.values()))
    )


def _is_whitening(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"epsilon"}
        and run_records.is_number(value["epsilon"])
        and value["epsilon"] > 0
    )


def _are_beside(value: Any) -> bool:
    return (
        isinstance(value, list)
        and 0 < len(value) <= _MOST_BESIDE
        and all(isinstance(name, str) and name.isidentifier() for name in value)
        and len(set(value)) == len(value)
    )


# The entries of `describe_extras`, and the check of each.
RIGHT: dict[str, Callable[[Any], bool]] = {
    SOFT_LABELS_KEY: lambda value: value == SOFT_LABELS,
    "student_rate": run_records.is_number,
    "teacher": teacher_files.is_teacher,
    "epoch_labels": _are_epochs,
    "whitening": _is_whitening,
    "beside": _are_beside,
}
