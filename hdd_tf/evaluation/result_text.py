"""The table a command ends with."""

from collections.abc import Mapping
from typing import Any

from tabulate import DataRow, TableFormat, tabulate

from hdd_tf.evaluation.dd_ranking_score import fair_score_lines
from hdd_tf.methods.registry import (
    BESIDE_TITLES,
    HARD_LABELS,
    WHOLE,
    is_distilled,
    traits_of,
)

# What networks learn that learn no classes, by the labels of their protocol.
_SOFT = {
    "stored": "the set's soft labels",
    "epochs": "a teacher's labels",
    "teacher": "a teacher's labels",
}
_WHOLE_TITLE = "whole training set"
# As wide as most titles, so that the tables of several runs align.
_HEADINGS = ("trained on".ljust(19), "images", "test accuracy (%)")
_ROW = DataRow("", "   ", "")
_FORMAT = TableFormat(
    None, None, None, None, _ROW, _ROW, padding=0, with_header_hide=None
)


def result_table(result: dict[str, Any], run_dir: str) -> str:
    """Returns a result as text for people.

    Args:
        result: Contents of `result.json`.
        run_dir: Where it lies.

    Returns:
        Several lines: what was run, one row per set, where the files are.
    """
    seeds = result.get("seeds", [result["seed"]])
    seeds_text = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    lines = [
        "",
        f"{result['dataset']}, {result['ipc']} per class, {_origin(result)}, "
        f"{seeds_text}",
    ]
    if isinstance(result["selected"], dict):
        chosen = result["selected"]
        lines.append(
            f"chosen on validation: iteration {chosen['iteration']} "
            f"({chosen['validation_accuracy']:.2f} %)"
        )
    lines += score_lines(
        result["accuracy"],
        result["baselines"],
        result["objective"],
        result.get("fair_score"),
    )
    if best := result.get("best_on_test"):
        lines.append(
            f"best on test of {best['candidates']}: iteration {best['iteration']}, "
            f"{best['mean']:.2f} ± {best['std']:.2f} (chosen by the test split: "
            "not a result)"
        )
    if learnt := _SOFT.get(result.get("protocol", {}).get("labels", "hard")):
        lines.append(
            f"networks learn {learnt}: do not compare with accuracies of hard labels"
        )
    seconds = result["seconds"]
    spent = ", ".join(f"{name} {value:.0f} s" for name, value in seconds.items())
    lines.append(f"{spent + '; ' if spent else ''}files: {run_dir}")
    return "\n".join(lines)


def score_lines(
    accuracy: Mapping[str, dict[str, Any]],
    baselines: Mapping[str, dict[str, Any]],
    objective: str,
    fair_score: dict[str, Any] | None = None,
) -> list[str]:
    """Returns the scores of a set and of its baselines as a table for people.

    Args:
        accuracy: Scores of the set by architecture, as in `result.json`.
        baselines: Scores of the baselines by name, as there.
        objective: Method that made the set.
        fair_score: DD-Ranking's scores, or None.

    Returns:
        A heading and one row per score, where there are scores; then DD-Ranking's.
    """
    # Which network the baselines are of is no question where there is but one.
    suffix = f" ({next(iter(accuracy))})" if len(accuracy) > 1 else ""
    rows = [
        (_title(name) + suffix, score)
        for name, score in baselines.items()
        if name not in (WHOLE, HARD_LABELS)
    ]
    made = "distilled" if is_distilled(objective) else objective
    rows += [(f"{made} ({network})", score) for network, score in accuracy.items()]
    rows += [
        (f"{made}, hard labels{suffix}", score)
        for name, score in baselines.items()
        if name == HARD_LABELS
    ]
    rows += [
        (_WHOLE_TITLE + suffix, score)
        for name, score in baselines.items()
        if name == WHOLE
    ]
    lines = []
    if rows:
        cells = [
            (
                title,
                f"{score['images']:,}",
                f"{score['mean']:.2f} ± {score['std']:.2f} "
                f"({counted(len(score['values']), 'network')})",
            )
            for title, score in rows
        ]
        lines.append(
            tabulate(
                cells,
                _HEADINGS,
                _FORMAT,
                disable_numparse=True,
                colalign=("left", "right", "left"),
            )
        )
    return lines + (fair_score_lines(fair_score) if fair_score else [])


def _title(baseline: str) -> str:
    traits = traits_of(baseline)
    return traits.baseline_title if traits else BESIDE_TITLES.get(baseline, baseline)


def counted(number: int, what: str) -> str:
    """Returns a number with its word, `1 network` or `2 networks`."""
    return f"{number} {what}{'s' if number != 1 else ''}"


def _origin(result: dict[str, Any]) -> str:
    """Says how the set came about."""
    if not result["objective"]:
        return "a set of another program"
    if not is_distilled(result["objective"]):
        return f"real images chosen by {result['objective']}"
    where = f" in {result['geometry']} geometry"
    if result["geometry"] == "none":
        where = ""
    traits = traits_of(result["objective"])
    if traits is not None and traits.is_selection:
        return f"{result['objective']}{where}"
    return f"{result['objective']}{where}, {result['iterations']} iterations"
