"""Scores that were made after a run: one file each in the run's `evaluations/`.

A file has the entries of result.json for its own networks, epochs and baselines, the
settings that it was scored with, and the checksum of the set. Files are never changed:
another evaluation is another file.
"""

import hashlib
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from hdd_tf.artifacts import run_records
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.config import Config, identity, names_of, rows
from hdd_tf.files import atomic, links
from hdd_tf.files.json_files import read_json
from hdd_tf.files.json_text import json_text_of_numbers
from hdd_tf.settings.scope import Scope

# The settings that an accuracy depends on. `seed` draws the networks.
_SCORING = names_of(
    *(Scope.DATA, Scope.SHARED, Scope.SEED, Scope.EVALUATION, Scope.BASELINES)
)


def scoring_settings(config: Config) -> dict[str, Any]:
    """Returns the settings that say how sets are scored, as JSON has them."""
    values = identity(config)
    return {name: values[name] for name in _SCORING}


def same_scoring(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Returns True if two evaluations train the same networks.

    Args:
        first: Settings from `scoring_settings` or of a run's identity. A setting that
            an earlier version did not know has its default.
        second: As `first`.
    """
    defaults = identity(Config(dataset="any"))
    asked_later = {name for name, row in rows().items() if row.is_asked_later}
    return all(
        first.get(name, defaults[name]) == second.get(name, defaults[name])
        for name in _SCORING
        if name not in asked_later
    )


def set_checksum(directory: RunDirectory) -> str | None:
    """Returns the checksum of a run's set as stored; None if it has none."""
    try:
        # The description has the checksums of all files of the set.
        description = (directory.synthetic / "hdd_tf.json").read_bytes()
    except OSError:
        return None
    return hashlib.sha256(description).hexdigest()


def is_of_present_set(directory: RunDirectory, result: Mapping[str, Any]) -> bool:
    """Returns False if a result is of a set that the run had before it went on.

    Args:
        directory: Directory of the run.
        result: Contents of its `result.json`.
    """
    present = set_checksum(directory)
    if present is None or "set_sha256" in result:
        return present is None or result["set_sha256"] == present
    try:  # Results of earlier versions do not say of which set they are.
        description = read_json(directory.synthetic / "hdd_tf.json")
        selected = description.get("selected", result["selected"])
        iteration = description.get("iteration", result["iterations"])
    except (AttributeError, OSError, ValueError):
        return False
    chosen = isinstance(selected, Mapping)
    return bool(
        selected == result["selected"] and (chosen or iteration == result["iterations"])
    )


def record_evaluation(
    directory: RunDirectory, config: Config, result: Mapping[str, Any]
) -> pathlib.Path:
    """Writes an evaluation of a run's set as a file of its own.

    Args:
        directory: Directory of the run.
        config: Settings of the evaluation.
        result: The scores, in the form of result.json.

    Returns:
        The new file.

    Raises:
        InputError: the directory holds links that lead out of it.
        OSError: the file cannot be written.
    """
    # Imports TensorFlow, without which the report reads these files.
    from hdd_tf.artifacts.provenance import library_versions

    links.refuse_links_out(directory.path)
    record = {
        **result,
        "set_sha256": set_checksum(directory),
        "settings": scoring_settings(config),
        "libraries": library_versions(),
    }
    number = 1
    while True:
        path = directory.evaluations / f"evaluation_{number:03d}.json"
        try:
            atomic.write_new_text(path, json_text_of_numbers(record))
            return path
        except FileExistsError:
            number += 1


def read_evaluations(
    directory: RunDirectory, warn: Callable[[str], None] = lambda line: None
) -> list[dict[str, Any]]:
    """Returns the evaluations of a run's present set, oldest first.

    Args:
        directory: Directory of the run.
        warn: Callback that receives one line for each file that cannot be used.
    """
    found, present = [], set_checksum(directory)
    if not directory.evaluations.is_dir():
        return []
    for path in sorted(directory.evaluations.glob("*.json")):
        try:
            record = read_json(path)
        except (OSError, ValueError):
            record = None
        if not _is_evaluation(record):
            warn(f"{path}: damaged or not of hdd_tf; left out")
        elif record["set_sha256"] == present:
            # Others are of the set that the run had before it went on.
            found.append(record)
    return found


def _is_evaluation(record: Any) -> bool:
    """Whether a value can be the contents of a file that `record_evaluation` wrote."""
    return (
        run_records.is_result(record)
        and isinstance(record.get("settings"), dict)
        and isinstance(record.get("protocol"), dict)
        and isinstance(record.get("set_sha256"), str | None)
        and run_records.is_count(record.get("evaluation_seed"))
    )
