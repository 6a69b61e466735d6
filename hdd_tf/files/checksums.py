"""SHA-256 sums that detect damaged and foreign files."""

import hashlib
import json
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from hdd_tf.errors import InputError

# Key of a JSON object's own sum, which covers all its other values.
OWN_SUM = "sha256_of_this_object"


def describe_files(
    directory: pathlib.Path, names: Iterable[str]
) -> dict[str, dict[str, Any]]:
    """Returns `{name: {"bytes": size, "sha256": sum}}` of files in a directory."""
    return {
        name: {
            "bytes": (directory / name).stat().st_size,
            "sha256": _sum_of_file(directory / name),
        }
        for name in sorted(names)
    }


def verify_files(directory: pathlib.Path, files: Mapping[str, Any]) -> None:
    """Compares files of a directory with their description.

    Args:
        directory: Directory of the files.
        files: Description from `describe_files`.

    Raises:
        InputError: a file is missing, cannot be read or has changed, or a name or a
            link leads out of the directory.
    """
    root = os.path.realpath(directory)
    for name, expected in files.items():
        path = directory / name
        if os.path.commonpath([root, os.path.realpath(path)]) != root:
            raise InputError(
                f"{path} leads out of {directory}: a set lies in one place; put the "
                "file itself there"
            )
        if not path.is_file():
            raise InputError(
                f"{path} is missing: the set is not complete; copy it anew"
            )
        try:
            size = path.stat().st_size
            if size != expected["bytes"]:
                raise InputError(
                    f"{path} has {size} bytes instead of {expected['bytes']}: it is "
                    "truncated or another file; copy or export the set anew"
                )
            if _sum_of_file(path) != expected["sha256"]:
                raise InputError(
                    f"{path} does not match its checksum: it is damaged or another "
                    "file; copy or export the set anew"
                )
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error


def seal(content: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a JSON object with its own sum added."""
    return {**content, OWN_SUM: _sum_of_object(content)}


def is_sealed(content: Mapping[str, Any]) -> bool:
    """Returns True if an object has its own sum, from `seal`, and the sum agrees."""
    try:
        return content.get(OWN_SUM) == _sum_of_object(content)
    except RecursionError:
        return False


def _sum_of_file(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sum_of_object(content: Mapping[str, Any]) -> str:
    # Only values count: copies may change the layout and the order of keys.
    rest = {key: value for key, value in content.items() if key != OWN_SUM}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
