"""Runs that are finished: what is asked for only now, and what they know already."""

import time
from collections.abc import Callable
from typing import Any

from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.sets.distilled_set import DistilledSet, read_distilled_set
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.errors import InputError
from hdd_tf.evaluate.evaluation import Evaluation


def read_export(directory: RunDirectory) -> DistilledSet:
    """Reads the set that a run is scored by: as networks train on it."""
    decoded = directory.synthetic_decoded
    return read_distilled_set(decoded if decoded.is_dir() else directory.synthetic)


def complete_result(
    run: RunContext, make_evaluation: Callable[[], Evaluation]
) -> dict[str, Any]:
    """Adds the fair score to a finished run's result, if it is wanted and not there.

    Nothing is distilled, and nothing scored again that the result holds.

    Args:
        run: The experiment; its directory holds a result and its export.
        make_evaluation: Called if there is something to score.

    Returns:
        The contents of `result.json` afterwards.

    Raises:
        InputError: there is no result, or no readable export.
    """
    config, directory = run.config, run.directory
    result = directory.read_result()
    if result is None:
        raise InputError(f"{directory.result_file} is not readable: start again")
    if not config.fair_score or "fair_score" in result:
        print(f"{config.run_dir} is already finished; nothing to distil or to score.")
        return result
    print(f"{config.run_dir} is already finished; only its fair score is missing.")
    started = time.perf_counter()
    fair_score = make_evaluation().fair_score(
        read_export(directory), result["accuracy"], result["baselines"]
    )
    seconds = dict(result["seconds"])
    spent = seconds.get("evaluate", 0.0) + time.perf_counter() - started
    seconds["evaluate"] = round(spent, 3)
    result = {**result, "fair_score": fair_score, "seconds": seconds}
    directory.write_result(result)
    return result


def keep_fair_score(directory: RunDirectory, result: dict[str, Any]) -> dict[str, Any]:
    """Carries over the fair score of a run whose set is scored again, the same set.

    It may have taken hours, and is asked for apart from the rest.

    Args:
        directory: The run's; its `result.json` is the former one.
        result: The new one.

    Returns:
        The new one, with the former fair score if that is of the same set.
    """
    former = directory.read_result() or {}
    fair = former.get("fair_score")
    if not fair or "fair_score" in result:
        return result
    # A set of as many iterations, chosen alike, is the same one; its accuracies say so.
    same = all(former.get(key) == result[key] for key in ("iterations", "selected"))
    score = result["accuracy"].get(fair["network"], {"values": None})
    if not same or score["values"] != fair["accuracy"]["distilled"]["values"]:
        return result
    return {**result, "fair_score": fair}
