"""`confusion.png`: the accuracy on each class, and what is taken for what."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hdd_tf.artifacts.drawing.drawn_text import short_names
from hdd_tf.artifacts.drawing.fonts import drawn_names

_DOTS_PER_INCH = 110
# Names beside the matrix, and numbers in its cells, up to these numbers of classes.
_MOST_NAMED, _MOST_NUMBERED = 120, 20
# Classes and pairs of classes that are named beside the matrix.
_LISTED = 15
# Lines go from left to right, also with names of scripts from right to left.
_LEFT_TO_RIGHT = "\N{LEFT-TO-RIGHT MARK}"


def confusion_picture(
    score: Mapping[str, Any], label_names: Sequence[str], title: str
) -> bytes | None:
    """Draws a score's classes.

    Args:
        score: A score as in result.json.
        label_names: Name of each class.
        title: Title of the picture.

    Returns:
        A PNG file: the confusion matrix, where there is one (evaluation/class_scores.py
        says up to how many classes); the classes of the least and the largest accuracy;
        and the pairs that are confused most. None if the score says nothing of its
        classes.
    """
    # Without pyplot, whose choice of a backend may need a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    per_class = score.get("per_class")
    if not per_class or all(value is None for value in per_class):
        return None
    matrix = confusion_matrix(score)
    # All as one list, so that the fonts of the block have every character.
    with drawn_names([*short_names(label_names), title]) as (*names, heading):
        side = _side(len(names))
        figure = Figure((side + 4.5, max(side, 5.0)), layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(heading, fontsize=9)
        widths = (side, 4.0) if matrix is not None else (4.0,)
        *left, right = np.ravel(figure.subplots(1, len(widths), width_ratios=widths))
        if matrix is not None:
            _draw_matrix(left[0], figure, matrix, names)
        right.set_axis_off()
        right.text(
            0.0, 1.0, _lists(per_class, matrix, names),
            fontsize=8, va="top", transform=right.transAxes,
        )  # fmt: skip
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH)
    return buffer.getvalue()


def matrix_picture(matrix: np.ndarray, label_names: Sequence[str]) -> bytes:
    """Draws a confusion matrix alone.

    Args:
        matrix: `[C, C]` percentages from `confusion_matrix`.
        label_names: Name of each class.

    Returns:
        A PNG file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with drawn_names(short_names(label_names)) as names:
        side = _side(len(names))
        figure = Figure((side, 0.85 * side), layout="constrained")
        FigureCanvasAgg(figure)
        _draw_matrix(figure.subplots(), figure, matrix, names)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH)
    return buffer.getvalue()


def confusion_matrix(score: Mapping[str, Any]) -> np.ndarray | None:
    """Returns a score's matrix `[C, C]` of percentages; None if it has none.

    Args:
        score: A score as in result.json.

    Returns:
        Rows are classes, columns what they are taken for. Rows of classes without test
        images are NaN.
    """
    rows = score.get("confusion")
    if rows is None:
        return None
    blank = [float("nan")] * len(rows)
    return np.array([blank if row is None else row for row in rows], np.float64)


def confused_pairs(matrix: np.ndarray, most: int) -> list[tuple[float, int, int]]:
    """Returns the pairs of classes that are confused most.

    Args:
        matrix: From `confusion_matrix`.
        most: Largest number of pairs.

    Returns:
        (percentage, class, what it is taken for), from the largest percentage.
    """
    off = np.nan_to_num(matrix) * ~np.eye(len(matrix), dtype=bool)
    places = np.argsort(-off, axis=None, kind="stable")[:most]
    pairs = [divmod(int(place), len(matrix)) for place in places]
    return [(float(off[pair]), *pair) for pair in pairs if off[pair] > 0]


def _side(classes: int) -> float:
    """Returns the inches of a matrix."""
    return 5.0 if classes <= _MOST_NUMBERED else min(12.0, 3 + 0.11 * classes)


def _draw_matrix(
    axes: Any, figure: Any, matrix: np.ndarray, names: Sequence[str]
) -> None:
    """Draws the matrix; names and numbers where they are readable."""
    shown = axes.imshow(matrix, cmap="Blues", vmin=0.0, vmax=100.0)
    figure.colorbar(shown, ax=axes, shrink=0.6, label="% of the test images of the row")
    axes.set_xlabel("taken for")
    axes.set_ylabel("class")
    if len(names) <= _MOST_NAMED:
        size = 8 if len(names) <= _MOST_NUMBERED else 5
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=size)
        axes.set_yticks(range(len(names)), names, fontsize=size)
    else:
        axes.set_title(
            f"{len(names):,} classes by their number; their names are in result.json",
            fontsize=8,
        )
    if len(names) <= _MOST_NUMBERED:
        for (row, column), value in np.ndenumerate(matrix):
            if value >= 0.5:  # NaN is not.
                colour = "white" if value > 50 else "black"
                axes.text(
                    column, row, f"{value:.0f}",
                    ha="center", va="center", fontsize=7, color=colour,
                )  # fmt: skip


def _lists(
    per_class: Sequence[float | None],
    matrix: np.ndarray | None,
    names: Sequence[str],
) -> str:
    """Returns the accuracy on classes from the worst, and the most confused pairs."""
    known = sorted(
        (value, label) for label, value in enumerate(per_class) if value is not None
    )
    untested = len(per_class) - len(known)
    lines = ["accuracy on each class (%)"]
    if len(known) > 2 * _LISTED:
        lines[0] = (
            f"classes of the least and the largest accuracy (%), of {len(known):,}"
        )
        half = _LISTED // 2
        chosen = [*known[:half], None, *known[-half:]]
    else:
        chosen = [*known]
    lines += [
        "..." if one is None else f"{one[0]:6.2f}  {names[one[1]]}" for one in chosen
    ]
    if untested:
        lines.append(f"{untested:,} classes have no test image")
    if matrix is not None and len(names) > 1:
        lines += ["", "most often confused (% of the images of a class)"]
        lines += [
            f"{percentage:6.2f}  {names[row]} taken for {names[column]}"
            for percentage, row, column in confused_pairs(matrix, _LISTED)
        ]
    return "\n".join(_LEFT_TO_RIGHT + line for line in lines)
