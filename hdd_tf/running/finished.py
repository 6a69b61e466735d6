"""Finished runs: adds a DD-Ranking score later, and keeps a former one."""

import time
from collections.abc import Callable
from typing import Any

from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.sets.distilled_set import DistilledSet, read_distilled_set
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.errors import InputError
from hdd_tf.evaluation.evaluation import Evaluation


def read_export(directory: RunDirectory) -> DistilledSet:
    """Reads the exported set that networks train on: decoded, or else stored.

    Raises:
        InputError: there is no readable export.
    """
    decoded = directory.synthetic_decoded
    return read_distilled_set(decoded if decoded.is_dir() else directory.synthetic)


def complete_result(
    run: RunContext, make_evaluation: Callable[[], Evaluation]
) -> dict[str, Any]:
    """Adds a missing DD-Ranking score to a finished run's result on request.

    Nothing is distilled, and scores in the result are not measured again.

    Args:
        run: The experiment, whose directory holds a result and an export.
        make_evaluation: Function that builds the evaluation, called if a score is
            missing.

    Returns:
        The new contents of `result.json`.

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
    """Copies the former DD-Ranking score if the same set is scored again.

    The score may have taken hours, and users request it separately.

    Args:
        directory: Directory of the run, whose `result.json` is the former result.
        result: The new result.

    Returns:
        The new result, with the former DD-Ranking score if the set is the same.
    """
    former = directory.read_result() or {}
    fair = former.get("fair_score")
    if not fair or "fair_score" in result:
        return result
    # Equal iterations and selection mean the same set; equal accuracies confirm it.
    same = all(former.get(key) == result[key] for key in ("iterations", "selected"))
    score = result["accuracy"].get(fair["network"], {"values": None})
    if not same or score["values"] != fair["accuracy"]["distilled"]["values"]:
        return result
    return {**result, "fair_score": fair}
