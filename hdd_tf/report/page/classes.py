"""What networks make of each class: accuracies, confused pairs, and the matrix."""

import io
from collections.abc import Sequence
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from hdd_tf.artifacts.drawing.confusion_picture import (
    confused_pairs,
    confusion_matrix,
    matrix_picture,
)
from hdd_tf.artifacts.evaluations import read_evaluations
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.evaluation.score_file import read_score
from hdd_tf.evaluation.scorers.class_scores import pool_class_scores
from hdd_tf.report.page.elements import chart, element, table
from hdd_tf.report.page.images import reencoded
from hdd_tf.report.run import Run

# Classes that are listed one by one; of more, half as many from each end.
_MOST_LISTED = 30
_MOST_PAIRS = 15
# Longest side in pixels of the picture of the matrix.
_MATRIX_SIDE = 1400


class ClassScore(NamedTuple):
    """What the runs of a group say of their classes.

    Attributes:
        network: The architecture.
        networks: Number of networks.
        names: Name of each class.
        score: `per_class` and perhaps `confusion`, as in result.json.
    """

    network: str
    networks: int
    names: list[str]
    score: dict[str, Any]


def class_score(runs: Sequence[Run]) -> ClassScore | None:
    """Pools the scores of classes of the networks whose accuracies the report has.

    Args:
        runs: Runs that differ only in the seed.

    Returns:
        Of the first architecture for which every run has such scores; None if there is
        none.
    """
    records = [_records(run) for run in runs]
    for network in runs[0].accuracy:
        found = [
            _score_of(run, of_run, network)
            for run, of_run in zip(runs, records, strict=True)
        ]
        scores = [score for score in found if score is not None]
        if len(scores) < len(runs):
            continue
        pooled = pool_class_scores(scores)
        per_class = pooled.get("per_class") or []
        if all(value is None for value in per_class):
            continue
        named = runs[0].data.get("label_names") or []
        if len(named) != len(per_class):
            named = range(len(per_class))
        count = sum(len(score["values"]) for score in scores)
        return ClassScore(network, count, list(map(str, named)), pooled)
    return None


def class_section(found: ClassScore, title: str) -> list[Element]:
    """Makes the lists and the matrix of a score's classes.

    Args:
        found: The score.
        title: What was scored, for the description of the matrix.
    """
    matrix = confusion_matrix(found.score)
    networks = f"{found.networks:,} network" + "s" * (found.networks != 1)
    made = [
        element("p", f"Means over {networks} ({found.network}).", kind="soft"),
        element("div", _accuracies(found), kind="columns"),
    ]
    if matrix is None:
        return made
    pairs = confused_pairs(matrix, _MOST_PAIRS)
    if pairs:
        made[1].append(_pairs(pairs, found.names))
    made.append(
        chart(
            *reencoded(io.BytesIO(matrix_picture(matrix, found.names)), _MATRIX_SIDE),
            f"Confusion matrix of {title}: {len(matrix):,} classes, the share of each "
            "taken for each other",
            "Confusion matrix: rows are classes, columns what their test images are "
            "taken for.",
        )
    )
    return made


def _records(run: Run) -> list[dict[str, Any]]:
    """Returns the contents of result.json and of later evaluations."""
    if run.is_foreign:
        return [read_score(run.path)]
    directory = RunDirectory(run.path)
    result = directory.read_result()
    # What cannot be used was said when the runs were collected.
    return ([result] if result else []) + read_evaluations(directory)


def _score_of(
    run: Run, records: Sequence[dict[str, Any]], network: str
) -> dict[str, Any] | None:
    """Returns the first score with classes among those that the report has of a run."""
    values = set(run.accuracy.get(network, ()))
    for record in records:
        score = record["accuracy"].get(network)
        # A run has other scores too, by other protocols.
        if score and score.get("per_class") and values.issuperset(score["values"]):
            return dict(score)
    return None


def _accuracies(found: ClassScore) -> Element:
    """Makes the table of accuracies, from the least."""
    per_class = found.score["per_class"]
    known = sorted((v, label) for label, v in enumerate(per_class) if v is not None)
    title = f"{len(known):,} classes from the least accuracy"
    rows = known
    if len(known) > _MOST_LISTED:
        half = _MOST_LISTED // 2
        rows = known[:half] + known[-half:]
        title = f"The {half} classes of the least and of the largest accuracy"
    cells: list[list[str | Element]] = [
        [element("bdi", found.names[label]), f"{value:.2f}", _bar(value)]
        for value, label in rows
    ]
    made = element("div", element("p", f"{title}, of {len(per_class):,}."))
    made.append(table({"class": "left", "%": "right", "": "left"}, cells, title))
    if untested := len(per_class) - len(known):
        made.append(element("p", f"{untested:,} classes have no test image."))
    return made


def _bar(value: float) -> Element:
    """Makes a bar from 0 to 100; the number stands beside it."""
    hidden = {"aria-hidden": "true"}
    return element("meter", min="0", max="100", value=f"{value:.2f}", **hidden)


def _pairs(pairs: Sequence[tuple[float, int, int]], names: Sequence[str]) -> Element:
    title = "Most often confused, % of the test images of a class"
    cells: list[list[str | Element]] = [
        [element("bdi", names[row]), element("bdi", names[column]), f"{share:.2f}"]
        for share, row, column in pairs
    ]
    columns = {"class": "left", "taken for": "left", "%": "right"}
    return element("div", element("p", f"{title}."), table(columns, cells, title))
