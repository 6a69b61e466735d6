"""Pools the results of several experiments, as the published tables do."""

from typing import Any

import numpy as np

from hdd_tf.evaluation.dd_ranking_score import pool_fair_scores
from hdd_tf.evaluation.scorers.class_scores import pool_class_scores


def pool_results(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Pools experiments as the published tables do: all networks of all sets.

    Args:
        results: Contents of the `result.json` of experiments that differ in the seed,
            at least one.

    Returns:
        The first result with pooled accuracies, summed seconds and an entry `seeds`.
    """
    first = results[0]
    selected = {str(result["selected"]): result["selected"] for result in results}
    # `best_on_test` is the choice of one seed only.
    common = {
        name: first[name]
        for name in first
        if name not in ("best_on_test", "fair_score")
    }
    fair = [result["fair_score"] for result in results if "fair_score" in result]
    # A mean over some of the seeds would describe other sets than the accuracies do.
    if len(fair) == len(results):
        common["fair_score"] = pool_fair_scores(fair)
    return {
        **common,
        "selected": first["selected"]
        if len(selected) == 1
        else "by each seed, see its result.json",
        "seed": first["seed"],
        "seeds": [result["seed"] for result in results],
        "seconds": {
            name: round(sum(result["seconds"][name] for result in results), 3)
            for name in first["seconds"]
        },
        **{
            group: {
                name: pool_scores([result[group][name] for result in results])
                for name in first[group]
            }
            for group in ("accuracy", "baselines")
        },
    }


def pool_scores(scores: list[dict[str, Any]]) -> dict[str, Any]:
    """Pools scores in the form of result.json: all their networks count alike.

    Args:
        scores: At least one.
    """
    values = [value for score in scores for value in score["values"]]
    return {
        "mean": round(float(np.mean(values)), 4),
        "std": round(float(np.std(values)), 4),
        "values": values,
        "images": scores[0]["images"],
        "seconds": round(sum(score.get("seconds", 0.0) for score in scores), 3),
        **pool_class_scores(scores),
    }
