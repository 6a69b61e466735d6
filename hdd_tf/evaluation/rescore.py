"""Scores an exported set again, without distilling."""

import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from hdd_tf.arguments.command_line import recorded_config
from hdd_tf.artifacts.evaluations import record_evaluation
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.sets.distilled_set import find_distilled_set, read_distilled_set
from hdd_tf.artifacts.titles import set_title
from hdd_tf.config import Config
from hdd_tf.errors import InputError, one_line
from hdd_tf.evaluation.evaluation import Evaluation
from hdd_tf.evaluation.known_scores import KnownScores, known_scores
from hdd_tf.evaluation.result_text import result_table
from hdd_tf.evaluation.shown_scores import show_later_scores
from hdd_tf.networks.registry import network_of_settings
from hdd_tf.reading.loading import load_configured_dataset


def rescore(place: str, arguments: Sequence[str]) -> str:
    """Trains fresh networks on an export and returns the table of results.

    Scores of a run are recorded in it, and those recorded already are not made again.

    Args:
        place: Directory of a set or of a run.
        arguments: Flags that override the settings recorded in the set.

    Returns:
        The table, several lines.

    Raises:
        InputError: there is no complete set, its data cannot be loaded, or a flag is
            invalid.
    """
    directory = find_distilled_set(place)
    distilled_set = read_distilled_set(directory)
    evaluation, config = evaluation_of_source(
        distilled_set.metadata["source"], arguments
    )
    run = _run_of(directory, pathlib.Path(place))
    known = known_scores(run, config, evaluation.dataset) if run else KnownScores()
    started = time.perf_counter()
    result = evaluation.result(distilled_set, known)
    seconds = {"evaluate": round(time.perf_counter() - started, 3)}
    table = result_table({**result, "seconds": {}}, str(directory))
    if run is None:
        return table
    if not known.trained:
        return (
            f"{table}\nknown already, so no network was trained; name {directory} to "
            "train them again"
        )
    try:
        file = record_evaluation(run, config, {**result, "seconds": seconds})
    except (
        InputError,
        OSError,
    ) as error:  # The score is here, and may have taken hours.
        return f"{table}\nnot recorded: {one_line(error)}"
    title = set_title(
        config, evaluation.dataset.name, distilled_set.metadata.get("iteration") or 0
    )
    show_later_scores(run, result, title, file.stem)
    return f"{table}\nrecorded: {file}"


def _run_of(directory: pathlib.Path, place: pathlib.Path) -> RunDirectory | None:
    """Returns the run that was named; None where a set was named."""
    run = RunDirectory(place)
    if directory == place or not run.config_file.is_file():
        return None
    try:
        run.read_config()
    except InputError:
        return None
    return run


def evaluation_of_source(
    source: Mapping[str, Any], arguments: Sequence[str]
) -> tuple[Evaluation, Config]:
    """Returns the evaluation that a set's run would use.

    Args:
        source: Settings of the run, from a set's metadata.
        arguments: Flags that override the settings.

    Returns:
        The evaluation and its settings.

    Raises:
        InputError: the run's data cannot be loaded, or a flag is invalid.
    """
    config = recorded_config(source, arguments)
    if not config.num_eval:
        raise InputError("--num_eval=0 trains no networks: give --num_eval=1 or more")
    dataset = load_configured_dataset(config, keeps=False)
    network = network_of_settings(
        config.network, config, dataset.image_shape, dataset.num_classes
    )
    return Evaluation(config, dataset, network), config
