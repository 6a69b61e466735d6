"""Finds run directories and reads their results."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from hdd_tf.artifacts import run_records
from hdd_tf.artifacts.history import ValidationScore, read_validation
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.config import Config, identity
from hdd_tf.data.catalogue import canonical_name
from hdd_tf.errors import InputError
from hdd_tf.files.json_files import read_json

Warn = Callable[[str], None]


class FairScore(NamedTuple):
    """The DD-Ranking scores of a run's set, see evaluation/dd_ranking_score.py.

    Attributes:
        network: Architecture of the networks that were evaluated.
        lrs: Label-robust score, from 0 to 1.
        ars: Augmentation-robust score, from 0 to 1.
        whole_epochs: Epochs of the networks trained on the whole set, for `lrs`.
    """

    network: str
    lrs: float
    ars: float
    whole_epochs: int


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        path: Directory of the run.
        seed: Seed of the distillation.
        dataset: TFDS name without configuration and version.
        ipc: Images per class.
        objective: Method of the distillation, or selection.
        geometry: Geometry of the matching.
        iterations: Iterations of the distillation.
        accuracy: Test accuracies in percent of the networks trained on the distilled
            set, by architecture.
        baselines: Test accuracies in percent of the networks trained on other sets, by
            name of the set.
        fair_score: DD-Ranking scores; None if they were not requested.
        seconds: Seconds of distillation; None if not recorded.
        settings: Value of every flag that identifies the run.
        protocol: Description of the accuracy's measurement, from result.json.
        data: Description of the data set, from config.json.
        history: Scores on the validation split during the run.
    """

    path: pathlib.Path
    seed: int
    dataset: str
    ipc: int
    objective: str
    geometry: str
    iterations: int
    accuracy: dict[str, tuple[float, ...]]
    baselines: dict[str, tuple[float, ...]]
    fair_score: FairScore | None
    seconds: float | None
    settings: dict[str, Any]
    protocol: dict[str, Any]
    data: dict[str, Any]
    history: tuple[ValidationScore, ...]


def collect_runs(places: Sequence[str], warn: Warn) -> list[Run]:
    """Reads all finished runs at and below some directories.

    Args:
        places: Run directories, directories of `--num_experiments`, or folders of such
            directories.
        warn: Callback that receives one line for each directory that cannot be used.

    Returns:
        The runs, each once.

    Raises:
        InputError: a place does not exist, or none holds a finished run.
    """
    runs = []
    seen: set[pathlib.Path] = set()
    for place in places:
        if not os.path.isdir(place):
            raise InputError(
                f"{place!r} is not a directory: name run directories or folders of them"
            )
        for path in _run_directories(pathlib.Path(place), seen, warn):
            try:
                runs.append(read_run(path))
            except InputError as error:
                warn(f"{error}; skipped")
    if not runs:
        raise InputError(
            f"no finished run in {', '.join(places)}: name directories that "
            "python -m hdd_tf.main wrote to (--run_dir) and finished"
        )
    return runs


def _run_directories(
    place: pathlib.Path, seen: set[pathlib.Path], warn: Warn
) -> Iterator[pathlib.Path]:
    """Yields the run directories at and below a directory, except those in `seen`."""
    try:
        resolved = place.resolve()
        if resolved in seen:
            return
        seen.add(resolved)
        if (place / "config.json").is_file():
            yield place
            return
        # Hidden ones are half-written, or nobody's runs.
        children = sorted(
            path
            for path in place.iterdir()
            if path.is_dir() and not path.name.startswith(".")
        )
        # The result of --num_experiments lies beside its runs, which say it all.
        if not children and (place / "result.json").is_file():
            warn(f"{place}: a result.json without config.json or runs; skipped")
    except OSError as error:
        warn(f"{place}: cannot be read ({error.strerror}); skipped")
        return
    for child in children:
        yield from _run_directories(child, seen, warn)


def read_run(path: pathlib.Path) -> Run:
    """Reads one run directory of this or another version.

    Args:
        path: The run directory.

    Raises:
        InputError: the run is damaged, not finished or not scored.
    """
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
    try:
        return _run(path, record, result)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
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
    if not accuracy and not baselines:
        raise InputError(f"{path}: not scored (--num_eval=0)")
    facts = {**settings, **result}
    # A TFDS name may be `name/config:1.0.0`.
    name = str(facts["dataset"]).split(":")[0].split("/")[0]
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
        dataset=canonical_name(name),
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
