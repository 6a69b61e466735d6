"""Sets in one `.npz` file, whatever its arrays are called."""

import math
import pathlib
import warnings
import zipfile
from collections.abc import Sequence
from typing import IO

import numpy as np

from hdd_tf.errors import InputError
from hdd_tf.foreign_sets.class_names import as_texts
from hdd_tf.foreign_sets.content import ForeignArrays, check_fits, check_ordinary

# Names that programs and Keras give them, in lower case.
_IMAGES = ("images", "image", "x", "x_train", "image_syn", "images_train", "data")
_LABELS = ("labels", "label", "y", "y_train", "label_syn", "labels_train", "targets")
_LOGITS = ("label_logits", "logits", "soft_label_logits")
_SOFT = ("soft_labels", "soft_label", "probabilities", "label_probabilities")
# What NumPy calls arrays that were given without names.
_UNNAMED = ("arr_0", "arr_1")
# Deflate packs at most 1032 bytes into one.
_MOST_PACKED = 1032
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_npz_set(path: pathlib.Path) -> ForeignArrays:
    """Reads a set from an `.npz` file.

    Args:
        path: The file. Its arrays are found by the names that are usual for images,
            labels and soft labels; `label_names`, `mean`, `std` and `cells` are read
            where they are.

    Raises:
        InputError: the file is damaged, does not fit into memory, holds Python objects,
            or has no images or labels that can be told by their names.
    """
    check_ordinary(path)
    # NumPy and zipfile document no exceptions for damaged files; SyntaxError,
    # TypeError, tokenize's and zlib's have all been seen. NumPy also warns of some.
    try:
        with warnings.catch_warnings(), zipfile.ZipFile(path) as archive:
            warnings.simplefilter("ignore")
            return _read(path, archive)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{path} cannot be read as an .npz file ({str(error)[:200]}): write it "
            "anew by numpy.savez"
        ) from error


def _read(path: pathlib.Path, archive: zipfile.ZipFile) -> ForeignArrays:
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name == info.filename:
            continue
        if name.lower() in members:
            raise InputError(
                f"{path} has two arrays called {name}, in capitals or not: write one "
                "set into a file"
            )
        members[name.lower()] = info
    unnamed = set(members) == set(_UNNAMED)
    images, labels, logits, soft = (
        _named(path, members, names)
        for names in (
            _UNNAMED[:1] if unnamed else _IMAGES,
            _UNNAMED[1:] if unnamed else _LABELS,
            _LOGITS,
            _SOFT,
        )
    )
    if images is None or (labels or logits or soft) is None:
        kind, names = ("images", _IMAGES) if images is None else ("labels", _LABELS)
        raise InputError(
            f"{path} has no array of {kind} among {', '.join(members) or 'none'}: "
            f"call it {names[0]} (numpy.savez(FILE, images=..., labels=...))"
        )

    def read(name: str | None) -> np.ndarray | None:
        return None if name is None else _read_array(path, archive, members[name])

    own = {name: read(name if name in members else None) for name in _OF_OURS}
    names_array = own["label_names"]
    found = read(images)
    assert found is not None
    return ForeignArrays(
        found,
        read(labels),
        read(logits or soft),
        "logits" if logits else "",
        None if names_array is None else tuple(as_texts(path, names_array).tolist()),
        own["mean"],
        own["std"],
        _cells(path, own["cells"]),
    )


_OF_OURS = ("label_names", "mean", "std", "cells")


def _cells(path: pathlib.Path, cells: np.ndarray | None) -> int:
    """Returns how many training images lie along each side of an image.

    Raises:
        InputError: the file says something that is no whole number.
    """
    if cells is None:
        return 1
    if cells.size != 1 or cells.dtype.kind not in "iuf" or cells.item() % 1 != 0:
        raise InputError(
            f"{path} has cells that are not one whole number, of training images along "
            "each side of an image: write 1, or the number there is"
        )
    return int(cells.item())


def _named(
    path: pathlib.Path, members: dict[str, zipfile.ZipInfo], names: Sequence[str]
) -> str | None:
    """Returns the one of some names that a file has an array of; None if there is none.

    Raises:
        InputError: there are several.
    """
    found = [name for name in names if name in members]
    if len(found) > 1:
        raise InputError(
            f"{path} has both {found[0]} and {found[1]}: write one set into a file"
        )
    return found[0] if found else None


def _read_array(
    path: pathlib.Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo
) -> np.ndarray:
    """Reads an array whose header asks for no more than the file can hold."""
    name = member.filename
    with archive.open(member) as file:
        shape, dtype = _header(file)
    if dtype.hasobject or dtype.names:
        raise InputError(
            f"{path} keeps {name} as Python objects or fields, which are not read: "
            "write plain numbers"
        )
    needed = math.prod(shape) * dtype.itemsize
    if needed > min(member.file_size, _MOST_PACKED * member.compress_size):
        raise ValueError(f"{name} is smaller than its header says")
    check_fits(path, needed)
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"a header of version {version}")
    shape, _, dtype = _HEADERS[version](file)
    return shape, dtype
