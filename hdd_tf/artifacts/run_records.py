"""Checks of the contents of config.json and result.json.

Anybody may have written these JSON files. The checks run once, when a file is read, so
that the users of the contents need no checks.
"""

import math
import os
from collections.abc import Mapping
from typing import Any

_KEYS = {"config", "identity", "data", "environment", "later_environments"}
_LARGEST = 1e12


# What marks a run or a set of hdd_tf, which says itself what it is.
_OF_HDD_TF = ("hdd_tf.json", "synthetic/hdd_tf.json", "config.json")


def is_of_hdd_tf(place: str) -> bool:
    """Returns True if a directory is that of a run or a set of hdd_tf."""
    return any(os.path.isfile(os.path.join(place, name)) for name in _OF_HDD_TF)


def is_config(record: Any) -> bool:
    """Returns True if a value can be the contents of a run's `config.json`."""
    if not isinstance(record, dict) or not record.keys() >= _KEYS:
        return False
    data = record["data"]
    named = [record["config"], record["identity"]]
    return (
        all(isinstance(settings, dict) for settings in named)
        # `iterations` alone is compared by size.
        and all(is_count(settings.get("iterations", 0)) for settings in named)
        and isinstance(record["later_environments"], list)
        and (data is None or isinstance(data, dict))
    )


def is_result(result: Any) -> bool:
    """Returns True if a value can be the contents of a run's `result.json`."""
    if not isinstance(result, dict) or not is_count(result.get("iterations")):
        return False
    texts = ("dataset", "objective", "geometry")
    return (
        all(isinstance(result.get(key), str) for key in texts)
        and all(is_count(result.get(key)) for key in ("ipc", "seed"))
        and is_choice(result.get("selected"))
        and all(_are_scores(result.get(key)) for key in ("accuracy", "baselines"))
        and _are_seconds(result.get("seconds"))
        and _is_fair_score(result.get("fair_score"))
        and _is_best(result.get("best_on_test"))
    )


def is_choice(selected: Any) -> bool:
    """Returns True if a value can be the entry `selected` of a result or of a set."""
    if isinstance(selected, Mapping):
        return is_count(selected.get("iteration")) and is_percentage(
            selected.get("validation_accuracy")
        )
    return isinstance(selected, str)


def is_count(value: Any) -> bool:
    """Returns True if a value is an integer from 0 to 2**53 - 1."""
    return is_number(value) and isinstance(value, int) and 0 <= value < 2**53


def is_number(value: Any) -> bool:
    """Returns True if a value is a number of absolute value below 1e16."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        # The bounds exclude NaN and integers that do not fit into a float.
        and -_LARGEST * 1e4 < value < _LARGEST * 1e4
    )


def is_percentage(value: Any) -> bool:
    """Returns True if a value is a number from 0 to 100, up to rounding."""
    return is_number(value) and -0.001 <= value <= 100.001


def are_percentages(values: Any) -> bool:
    """Returns True if a value is a list of percentages that is not empty."""
    return isinstance(values, list) and bool(values) and all(map(is_percentage, values))


def _are_scores(scores: Any) -> bool:
    return isinstance(scores, dict) and all(map(_is_score, scores.values()))


def _is_score(score: Any) -> bool:
    return (
        isinstance(score, dict)
        and are_percentages(score.get("values"))
        and all(is_percentage(score.get(key)) for key in ("mean", "std"))
        and is_count(score.get("images"))
        and _is_per_class(score.get("per_class"))
        and _is_confusion(score.get("confusion"), score.get("per_class"))
    )


def _is_per_class(values: Any) -> bool:
    """Whether a value is an accuracy for each class, or is left out."""
    return values is None or (
        isinstance(values, list)
        and all(value is None or is_percentage(value) for value in values)
    )


def _is_confusion(rows: Any, per_class: Any) -> bool:
    """Whether a value is a matrix of the classes of `per_class`, or is left out."""
    if rows is None:
        return True
    if not isinstance(rows, list) or len(rows) != len(per_class or ()):
        return False
    return all(
        row is None
        or (
            isinstance(row, list)
            and len(row) == len(rows)
            and all(map(is_percentage, row))
        )
        for row in rows
    )


def _are_seconds(seconds: Any) -> bool:
    return isinstance(seconds, dict) and all(
        is_number(value) and value >= 0 for value in seconds.values()
    )


def _is_fair_score(entry: Any) -> bool:
    if entry is None:
        return True
    if not isinstance(entry, dict) or not isinstance(entry.get("network"), str):
        return False
    scores = ("lrs", "ars", "lrs_std", "ars_std")
    parts = ("a", "b", "hlr", "ior", "w")
    return (
        all(is_fraction(entry.get(key)) for key in scores[:2])
        and all(is_fraction(entry.get(key, 0)) for key in scores[2:])
        and all(is_number(entry.get(key)) for key in parts)
        and is_count(entry.get("whole_epochs"))
        and _has_distilled(entry.get("accuracy"))
    )


def _has_distilled(accuracy: Any) -> bool:
    return _are_scores(accuracy) and "distilled" in accuracy


def is_fraction(value: Any) -> bool:
    """Returns True if a value is a number from 0 to 1."""
    return is_number(value) and 0 <= value <= 1 and math.isfinite(value)


def _is_best(best: Any) -> bool:
    if best is None:
        return True
    return (
        _is_score(best)
        and is_count(best.get("iteration"))
        and is_count(best.get("candidates"))
    )
