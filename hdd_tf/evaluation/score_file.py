"""Files of scores: what `hdd-tf evaluate --set=FILE --output=FILE.json` writes.

A file has the entries of a run's result.json, the settings that decide them, what
config.json says of the data, and the checksum of the set that was scored.
"""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

from hdd_tf.artifacts import run_records
from hdd_tf.errors import InputError
from hdd_tf.files import atomic
from hdd_tf.files.json_files import read_json
from hdd_tf.files.json_text import json_text_of_numbers
from hdd_tf.files.links import check_writable

_FORMAT = "hdd_tf score"
SUFFIX = ".json"


def check_new_file(path: str) -> None:
    """Checks that a file of a score can be written, before anything is scored.

    Args:
        path: What `--output` names.

    Raises:
        InputError: it has another ending, is there already, or its folder is missing or
            cannot be written to.
    """
    folder = os.path.dirname(path) or "."
    if not path.lower().endswith(SUFFIX):
        raise InputError(f"--output={path}: scores are JSON; end the name in {SUFFIX}")
    if os.path.lexists(path):
        raise InputError(
            f"--output={path} is there already, and no score is written over: name a "
            "new file"
        )
    if not os.path.isdir(folder):
        raise InputError(f"--output={path}: {folder} is no folder; make it first")
    check_writable(path, "--output=")


def write_score(path: str, record: Mapping[str, Any]) -> None:
    """Writes a score, and replaces no file.

    Args:
        path: The new file.
        record: The score with its settings, data and set.

    Raises:
        InputError: the file cannot be written.
    """
    # Imports TensorFlow, without which the report reads these files.
    from hdd_tf.artifacts.provenance import library_versions

    content = {"format": _FORMAT, **record, "libraries": library_versions()}
    try:
        atomic.write_new_text(path, json_text_of_numbers(content))
    except OSError as error:
        raise InputError(
            f"--output={path} cannot be written ({error.strerror}): the score above is "
            "recorded nowhere"
        ) from error


def read_score(path: pathlib.Path) -> dict[str, Any]:
    """Reads a file that `write_score` wrote.

    Raises:
        InputError: it is damaged, or something else.
    """
    try:
        record = read_json(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a score") from error
    if (
        not isinstance(record, dict)
        or record.get("format") != _FORMAT
        or not run_records.is_result(record)
        or not all(
            isinstance(record.get(key), dict)
            for key in ("settings", "protocol", "data", "set")
        )
    ):
        raise InputError(f"{path}: no score of a set, or a damaged one")
    return record
