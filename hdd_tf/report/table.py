"""The report as Markdown: measured beside published, with what each number cost."""

import statistics
from collections.abc import Sequence

from tabulate import tabulate

from hdd_tf.methods.registry import BESIDE_TITLES, HARD_LABELS, WHOLE, traits_of
from hdd_tf.report.comparison import (
    differences,
    number,
    partial_set,
    published_budget,
    published_number,
)
from hdd_tf.report.marks import (
    label_difference,
    mark_notes,
    published_mark,
    score_mark,
)
from hdd_tf.report.published import accuracy_text
from hdd_tf.report.rows import Row
from hdd_tf.report.run import Run
from hdd_tf.settings.matching import geometry_title

_WHOLE_TITLE = "whole training set"
_COLUMNS = {  # Title and alignment.
    "row": "right",
    "data set": "left",
    "IPC": "right",
    "trained on": "left",
    "network": "left",
    "test accuracy (%)": "right",
    "published (%)": "right",
    "sets x networks": "right",
    "iterations": "right",
    "evaluation epochs": "right",
    "against the published protocol": "left",
}
# Only where a run was asked for them.
_FAIR_COLUMNS = {"LRS": "right", "ARS": "right"}
TITLE = "Results beside the published ones"
_INTRODUCTION = """\
Mean ± population standard deviation over all networks of all sets, as the published
tables pool them; sets differ in their seed. "x of y": x here, y in the published
protocol. **Only a row that says "same protocol" may be read as a reproduction.**
"""
_SOURCES = """\
Published numbers: Li et al., "Hyperbolic Dataset Distillation", NeurIPS 2025, arXiv
2505.24623. "not known": published, but not in that source. "-": nothing published to
compare with.
"""
_FAIR_SCORES = """\
LRS and ARS, label-robust and augmentation-robust score, from 0 to 1, mean ± population
standard deviation over sets: the formulas of Li et al., "DD-Ranking", arXiv 2505.13300,
on accuracies measured by each row's own protocol. They compare with each other within
one protocol, and not with DD-Ranking's tables: its networks, teachers and tuned
learning rates are others.
"""


def report_text(rows: Sequence[Row]) -> str:
    """Returns the whole report.

    Args:
        rows: In the table's order.

    Returns:
        Markdown: the table, where each row comes from, and the sources.
    """
    columns, cells = table_cells(rows)
    before, *after = table_notes(rows)
    lines = [
        f"# {TITLE}\n",
        before,
        tabulate(
            [map(_escaped, row) for row in cells],
            list(columns),
            "pipe",
            disable_numparse=True,
            colalign=tuple(columns.values()),
        ),
        "",
        "## Where the rows come from",
        "",
        *(f"{index}. {origin(row)}" for index, row in enumerate(rows, start=1)),
        "",
        *after,
    ]
    return "\n".join(lines)


def table_cells(rows: Sequence[Row]) -> tuple[dict[str, str], list[list[str]]]:
    """Returns the titles of the columns with their alignment, and the cells of rows.

    Args:
        rows: In the table's order.
    """
    fair = any(row.fair_scores for row in rows)
    columns = _COLUMNS | _FAIR_COLUMNS if fair else _COLUMNS
    return columns, [
        _cells(index, row) + (_fair_cells(row) if fair else [])
        for index, row in enumerate(rows, start=1)
    ]


def table_notes(rows: Sequence[Row]) -> list[str]:
    """Returns what stands before the table, and the paragraphs after it.

    Args:
        rows: The table's rows.
    """
    fair = any(row.fair_scores for row in rows)
    return [
        _INTRODUCTION,
        *mark_notes(rows),
        _SOURCES,
        *([_FAIR_SCORES] if fair else []),
    ]


def method_title(run: Run) -> str:
    """Returns what a run did, as the papers call it."""
    traits = traits_of(run.objective)
    if traits is None:
        return run.objective
    return traits.title + geometry_title(run.geometry)


def trained_on(row: Row) -> str:
    """Returns what the networks of a row were trained on, as tables say it."""
    if row.title == "distilled":
        return method_title(row.run)
    if row.title == WHOLE:
        return _WHOLE_TITLE
    if row.title == HARD_LABELS:
        return f"{method_title(row.run)}, hard labels"
    if row.title in BESIDE_TITLES:
        return f"{method_title(row.run)}, {BESIDE_TITLES[row.title]}"
    traits = traits_of(row.title)
    title = traits.title if traits else row.title
    if row.is_taught_baseline:
        return f"{title}, labels of {method_title(row.run)}'s teacher"
    return title


def _cells(index: int, row: Row) -> list[str]:
    run, budget = row.run, published_budget(row)
    sets = _sets_text(row)
    if budget and budget.sets and sets != f"{budget.sets} x {budget.networks}":
        sets += f" of {budget.sets} x {budget.networks}"
    iterations = "-"
    # Sets of other programs, and those that are made at once, have none.
    if row.is_distilled and run.iterations:
        iterations = _of(run.iterations, budget.iterations if budget else None)
    return [
        str(index),
        run.dataset,
        "-" if row.objective == WHOLE else str(run.ipc),
        trained_on(row),
        row.network,
        f"{row.mean:.2f} ± {row.std:.2f}{score_mark(row)}",
        _published_text(row) + published_mark(row),
        sets,
        iterations,
        _of(row.epochs, budget.eval_epochs if budget else None),
        _verdict(row),
    ]


def _fair_cells(row: Row) -> list[str]:
    """Returns LRS and ARS; LRS apart for each schedule of the whole set."""
    scores = row.fair_scores
    if not scores:
        return ["-", "-"]
    label_robust = [
        f"{_mean_and_std([s.lrs for s in scores if s.whole_epochs == epochs], row)} "
        f"(whole set {epochs:,} epochs)"
        for epochs in sorted({score.whole_epochs for score in scores})
    ]
    return ["; ".join(label_robust), _mean_and_std([s.ars for s in scores], row)]


def _mean_and_std(values: Sequence[float], row: Row) -> str:
    text = f"{statistics.fmean(values):.4f} ± {statistics.pstdev(values):.4f}"
    sets = len(row.runs)
    return text if len(values) == sets else f"{text} ({len(values)} of {sets} sets)"


def _published_text(row: Row) -> str:
    accuracy = published_number(row)
    # Of some cells the settings are published, but no accuracy is in our source.
    return accuracy_text(accuracy) if accuracy or published_budget(row) else "-"


def _sets_text(row: Row) -> str:
    networks = sorted({len(values) for values in row.values})
    return f"{len(row.values)} x {'-'.join(map(str, networks))}"


def _of(ours: int | None, theirs: int | None) -> str:
    different = theirs is not None and ours != theirs
    return f"{number(ours)} of {theirs:,}" if different else number(ours)


def _another_model(row: Row) -> str | None:
    """Says why a published number is of another method than the row's, if it is."""
    traits = traits_of(row.objective)
    return traits.not_comparable if traits and published_number(row) else None


def _verdict(row: Row) -> str:
    found = differences(row)
    reasons = label_difference(row), _another_model(row), partial_set(row.run)
    apart = [why for why in reasons if why]
    if apart:
        return "; ".join([f"**not comparable**: {apart[0]}", *apart[1:], *found])
    budget = published_budget(row)
    if found:
        return f"differs: {'; '.join(found)}"
    if budget and budget.sets is None:
        return "same protocol, as far as it is known: not how many sets and networks"
    if budget:
        return "same protocol"
    if published_number(row):
        return "our source does not state the protocol of this number"
    return "no published number"


def origin(row: Row) -> str:
    """Returns where a row comes from, as Markdown."""
    places = ", ".join(f"`{run.path}` (seed {run.seed})" for run in row.runs)
    return f"{trained_on(row)}: {places}"


def _escaped(cell: str) -> str:
    # Names are the user's: a bar would end the cell, a line break the row, and
    # tabulate takes a control character for a line between rows.
    printable = "".join(c if c.isprintable() else " " for c in cell)
    return " ".join(printable.replace("|", "\\|").split())
