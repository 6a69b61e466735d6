"""SHA-256 sums that tell a damaged or foreign file from the one that was written."""

import hashlib
import json
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from hdd_tf.errors import InputError

# The key under which a JSON object keeps the sum of all its other values.
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
    """Compares a directory with what `describe_files` said of it.

    Raises:
        InputError: If a file is missing, cannot be read, or is not as it was; or if a
            name or a link leads out of the directory.
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
    """Says whether an object is as `seal` left it."""
    try:
        return content.get(OWN_SUM) == _sum_of_object(content)
    except RecursionError:
        return False


def _sum_of_file(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sum_of_object(content: Mapping[str, Any]) -> str:
    # Layout and order of keys may change on the way; the values may not.
    rest = {key: value for key, value in content.items() if key != OWN_SUM}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
