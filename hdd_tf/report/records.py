"""From the files of one run, or of one score, to what the report knows of it."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable
from typing import Any

from hdd_tf.artifacts import run_records
from hdd_tf.artifacts.evaluations import read_evaluations
from hdd_tf.artifacts.history import read_validation
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.config import Config, identity
from hdd_tf.data.catalogue import FOLDER, canonical_name
from hdd_tf.errors import InputError, one_line
from hdd_tf.evaluation.score_file import read_score
from hdd_tf.files.json_files import read_json
from hdd_tf.report.later_scores import joined
from hdd_tf.report.run import FairScore, Run

Warn = Callable[[str], None]
_DAMAGE = (AttributeError, KeyError, OverflowError, TypeError, ValueError)


def is_own(dataset: str) -> bool:
    """Returns True if a run's data set is a folder of the user's own images."""
    return dataset.startswith(FOLDER)


def read_scored_set(path: pathlib.Path) -> Run:
    """Reads the score of a set of another program, as if it were a run's.

    Args:
        path: File that `hdd-tf evaluate --output` wrote.

    Raises:
        InputError: it is damaged, or something else.
    """
    score = read_score(path)
    known = {"identity": score["settings"], "data": score["data"]}
    # With a space, which no method's name has.
    title = f"set {one_line(str(score['set'].get('name')))}"
    run = _checked_run(path, known, {**score, "objective": title})
    return dataclasses.replace(run, settings=score["settings"], is_foreign=True)


def read_run(path: pathlib.Path) -> Run:
    """Reads one run directory of this or another version, with its own result alone.

    Args:
        path: The run directory.

    Raises:
        InputError: the run is damaged, not finished or not scored.
    """
    record, result = _read(path)
    run = _checked_run(path, record, result)
    if not run.accuracy and not run.baselines:
        raise _unscored(path)
    return run


def read_runs(path: pathlib.Path, warn: Warn) -> list[Run]:
    """Reads one run directory, with what was scored later.

    Args:
        path: The run directory.
        warn: Callback that receives one line for each evaluation that cannot be used.

    Returns:
        What `later.joined` makes of them, at least one.

    Raises:
        InputError: the run is damaged, not finished or never scored.
    """
    record, result = _read(path)
    base, later = _checked_run(path, record, result), []
    for entry in read_evaluations(RunDirectory(path), warn):
        settings = {**record["identity"], **entry["settings"]}
        of_run = {"seconds": result.get("seconds", {})}
        try:
            later.append(_run(path, {**record, "identity": settings}, entry | of_run))
        except _DAMAGE:
            warn(f"{path}: an evaluation lacks what a report needs; left out")
    runs = joined(base, later)
    if not runs:
        raise _unscored(path)
    return runs


def _unscored(path: pathlib.Path) -> InputError:
    return InputError(f"{path}: not scored (--num_eval=0)")


def _read(path: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the contents of a run's config.json and result.json."""
    directory = RunDirectory(path)
    try:
        record = directory.read_config()
    except InputError as error:
        raise InputError(f"{path}: config.json is damaged or not of hdd_tf") from error
    try:
        # Not `read_result`, which asks for all that this version writes.
        result = read_json(directory.result_file)
    except FileNotFoundError as error:
        raise InputError(f"{path}: not finished") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: result.json is damaged") from error
    if not isinstance(result, dict) or not isinstance(result.get("iterations"), int):
        raise InputError(f"{path}: result.json is damaged")
    return record, result


def _checked_run(
    path: pathlib.Path, record: dict[str, Any], result: dict[str, Any]
) -> Run:
    try:
        return _run(path, record, result)
    except _DAMAGE as error:
        raise InputError(f"{path}: result.json lacks what a report needs") from error


def _run(path: pathlib.Path, record: dict[str, Any], result: dict[str, Any]) -> Run:
    settings = {**_default_settings(), **record["identity"]}
    accuracy = {
        str(name): _accuracies(score) for name, score in result["accuracy"].items()
    }
    baselines = {
        str(name): _accuracies(score)
        for name, score in result.get("baselines", {}).items()
    }
    facts = {**settings, **result}
    seconds = result.get("seconds", {}).get("distil")
    counts = {key: int(facts[key]) for key in ("seed", "ipc", "iterations")}
    if not all(map(run_records.is_count, counts.values())):
        raise ValueError("no counts")
    if seconds is not None and not (run_records.is_number(seconds) and seconds >= 0):
        raise ValueError("no seconds")
    if not run_records.is_fraction(settings.get("validation_fraction") or 0):
        raise ValueError("no part that was held out")
    return Run(
        path=path,
        seed=counts["seed"],
        dataset=_dataset_name(str(facts["dataset"])),
        ipc=counts["ipc"],
        objective=str(facts["objective"]),
        geometry=str(facts["geometry"]),
        iterations=counts["iterations"],
        accuracy=accuracy,
        baselines=baselines,
        fair_score=_fair_score(result.get("fair_score")),
        seconds=None if seconds is None else float(seconds),
        settings=settings,
        protocol=dict(result.get("protocol", {})),
        data=_data(record["data"] or {}),
        history=read_validation(path),
    )


def _dataset_name(name: str) -> str:
    """Returns a data set's name as tables have it.

    Args:
        name: `folder:PATH`, or a TFDS name, which may be `name/config:1.0.0`.
    """
    if is_own(name):
        return FOLDER + os.path.basename(os.path.normpath(name.removeprefix(FOLDER)))
    return canonical_name(name.split(":")[0].split("/")[0])


def _accuracies(score: dict[str, Any]) -> tuple[float, ...]:
    if not run_records.are_percentages(score["values"]):
        raise ValueError("no accuracies")
    return tuple(map(float, score["values"]))


def _data(recorded: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(recorded.get("label_names") or [], list):
        raise ValueError("no names of classes")
    return dict(recorded)


def _fair_score(entry: dict[str, Any] | None) -> FairScore | None:
    if entry is None:
        return None
    scores = float(entry["lrs"]), float(entry["ars"])
    if not all(0 <= score <= 1 for score in scores):
        raise ValueError("no scores from 0 to 1")
    return FairScore(str(entry["network"]), *scores, int(entry["whole_epochs"]))


@functools.cache
def _default_settings() -> dict[str, Any]:
    """Returns the defaults, for settings that the run's version did not have yet."""
    return identity(Config(dataset="any"))
