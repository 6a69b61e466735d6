"""Finished runs: knows them, adds scores that are asked for later, loses none."""

import dataclasses
import time
from typing import Any

from hdd_tf.artifacts.evaluations import record_evaluation
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.sets.distilled_set import DistilledSet, read_distilled_set
from hdd_tf.artifacts.titles import set_title
from hdd_tf.config import Config, identity, rows
from hdd_tf.data.dataset import data_record
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.errors import InputError
from hdd_tf.evaluation.evaluation import Evaluation
from hdd_tf.evaluation.known_scores import KnownScores, known_scores
from hdd_tf.evaluation.shown_scores import show_later_scores
from hdd_tf.methods.registry import WHOLE
from hdd_tf.protocols.published import sets_beside


def read_export(directory: RunDirectory) -> DistilledSet:
    """Reads the exported set that networks train on: decoded, or else stored.

    Raises:
        InputError: there is no readable export.
    """
    decoded = directory.synthetic_decoded
    return read_distilled_set(decoded if decoded.is_dir() else directory.synthetic)


def is_finished(run: RunContext) -> bool:
    """Returns True if a run's directory holds the result that is asked for.

    A finished run may be asked for more networks, architectures and baselines.

    Raises:
        InputError: the directory belongs to another run, or holds foreign files.
    """
    config, directory = run.config, run.directory
    result = directory.read_result()
    finished = result is not None and (
        config.traits.is_selection or result["iterations"] >= config.iterations
    )
    later = [name for name, row in rows().items() if row.is_asked_later and finished]
    directory.check(identity(config), data_record(run.dataset), later)
    if result is None or not finished:
        return False
    return not config.best_on_test or "best_on_test" in result


def complete_result(run: RunContext) -> dict[str, Any]:
    """Adds the scores that a finished run is asked for and does not have yet.

    Nothing is distilled, and no network trains again whose accuracy is recorded. New
    scores are recorded as an evaluation; a DD-Ranking score joins `result.json`.

    Args:
        run: The experiment, whose directory holds a result.

    Returns:
        The contents of `result.json`, with what is asked for beyond them.

    Raises:
        InputError: there is no result, or no readable export.
    """
    directory = run.directory
    result = directory.read_result()
    if result is None:
        raise InputError(f"{directory.result_file} is not readable: start again")
    config = _asked(run.config, result)
    known = known_scores(directory, config, run.dataset)
    known.fair_score = result.get("fair_score", known.fair_score)
    missing = known.missing(config)
    unfair = config.fair_score and "fair_score" not in result
    said = f"{run.config.run_dir} is already finished;"
    if not missing and not unfair:
        print(f"{said} nothing to distil or to score.")
        return _with_scores(result, known, config)
    if missing:
        print(f"{said} networks to train: {', '.join(missing)}.")
    else:
        print(f"{said} only its fair score is missing.")
    evaluation = Evaluation(config, run.dataset, run.network)
    export, started = read_export(directory), time.perf_counter()
    if missing:
        scored = evaluation.result(export, known)
        scored["iterations"] = result["iterations"]
        scored["seconds"] = {"evaluate": round(time.perf_counter() - started, 3)}
        file = record_evaluation(directory, config, scored)
        print(f"recorded: {file}")
        iteration = export.metadata.get("iteration") or 0
        title = set_title(config, run.dataset.name, iteration)
        show_later_scores(directory, scored, title, file.stem)
        for group, scores in (
            (known.accuracy, scored["accuracy"]),
            (known.baselines, scored["baselines"]),
        ):
            group.update(scores)
        known.fair_score = scored.get("fair_score", known.fair_score)
    answer = _with_scores(result, known, config)
    if not unfair:
        return answer
    fair_score = known.fair_score or evaluation.fair_score(
        export, answer["accuracy"], answer["baselines"]
    )
    seconds = dict(result["seconds"])
    spent = seconds.get("evaluate", 0.0) + time.perf_counter() - started
    seconds["evaluate"] = round(spent, 3)
    more = {"fair_score": fair_score, "seconds": seconds}
    directory.write_result({**result, **more})
    return {**answer, **more}


def _asked(config: Config, result: dict[str, Any]) -> Config:
    """Returns the settings of the scores that a finished run is asked for.

    The architecture of the run's baselines stays the first, as new ones join them.
    """
    networks = config.eval_networks or (config.network,)
    first = result.get("protocol", {}).get("baseline_network", networks[0])
    networks = first, *(name for name in networks if name != first)
    return dataclasses.replace(config, eval_networks=networks)


def _with_scores(
    result: dict[str, Any], known: KnownScores, config: Config
) -> dict[str, Any]:
    """Returns a result with what is known of the scores that are asked for."""
    if not config.num_eval:
        return result
    answer, counts = dict(result), [0]
    for group, names, scores in (
        ("accuracy", config.eval_networks, known.accuracy),
        ("baselines", sets_beside(config), known.baselines),
    ):
        answer[group] = dict(result[group])
        for name in names:
            score = known.complete(scores[name], config.num_eval, _never)
            former = result[group].get(name, {"values": []})
            if name == WHOLE or len(score["values"]) > len(former["values"]):
                answer[group][name] = score
            counts.append(len(answer[group][name]["values"]))
    protocol = dict(result.get("protocol", {}))
    if protocol.get("networks", config.num_eval) < max(counts):
        protocol["networks"] = max(counts)
    if WHOLE in config.baselines:
        protocol["whole_epochs"] = config.whole_epochs
    return answer | ({"protocol": protocol} if protocol else {})


def _never(first: int) -> dict[str, Any]:
    raise AssertionError(f"Network {first} should be known.")


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
