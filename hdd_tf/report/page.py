"""The report as one page of HTML that opens anywhere and loads nothing."""

import re
from collections.abc import Sequence
from html import escape
from typing import Any

from tabulate import tabulate

from hdd_tf import __version__
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.report.page_pictures import (
    figure,
    figure_of_file,
    loss_figure,
    png_address,
)
from hdd_tf.report.page_style import STYLE
from hdd_tf.report.plot import drawn_plot
from hdd_tf.report.rows import Group, table_rows
from hdd_tf.report.run import Run
from hdd_tf.report.table import TITLE, method_title, table_cells, table_notes

# Classes in the table of a run, half of them the worst.
_MOST_CLASSES = 100
# Nothing may be loaded, and no script may run: names on the page are anyone's.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(groups: Sequence[Group]) -> str:
    """Returns the whole page.

    Args:
        groups: Groups of runs that differ only in the seed, at least one.

    Returns:
        HTML with its pictures inside: the table beside the published numbers, accuracy
        against seconds, losses, settings that differ, and of each group the images,
        classes and analysis of its first seed.
    """
    names = _names(groups)
    rows = table_rows(groups)
    columns, cells = table_cells(rows)
    before, *after = table_notes(rows)
    seconds = figure(
        png_address(drawn_plot(groups, "png")), "Accuracy against seconds of distillation"
    )
    body = [
        f"<h1>{TITLE}</h1>",
        _paragraphs(before),
        _table(cells, list(columns)),
        *map(_paragraphs, after),
        "<h2>How the runs went</h2>",
        seconds,
        loss_figure(groups, names),
        _differing_settings(groups, names),
        *(_section(group, name) for group, name in zip(groups, names, strict=True)),
        f"<footer>Made by hdd_tf {__version__}.</footer>",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{TITLE}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in body if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _names(groups: Sequence[Group]) -> list[str]:
    """Returns a name of each group, with a number where two have the same."""
    names = [_name(group.first) for group in groups]
    return [
        f"{name} ({names[:index].count(name) + 1})" if names.count(name) > 1 else name
        for index, name in enumerate(names)
    ]


def _name(run: Run) -> str:
    per_class = f"{run.ipc} image{'s' * (run.ipc != 1)} per class"
    return f"{method_title(run)}, {run.dataset}, {per_class}"


def _section(group: Group, name: str) -> str:
    """Returns what there is to see of a group's first seed."""
    run = group.first
    pictures = RunDirectory(run.path).pictures
    others = len(group.runs) - 1
    facts = f"{run.iterations:,} iterations, seed {run.seed}"
    if others:
        facts += f"; {others} more seed{'s' * (others > 1)} in the table"
    shown = {
        "final.png": "Distilled images, a row for each class",
        "poincare.png": "Features in the Poincaré disk",
        "confusion.png": "What is taken for what, and the accuracies of classes",
    }
    return "\n".join(
        [
            f"<section><h2>{_text(name)}</h2>",
            f"<p>{_text(facts)}: <code>{_text(run.path)}</code></p>",
            *(
                figure_of_file(pictures / file, f"{words}: {_readable(name)}")
                for file, words in shown.items()
            ),
            _classes(run),
            "</section>",
        ]
    )


def _classes(run: Run) -> str:
    """Returns a table of the accuracies of classes; "" where they are not recorded."""
    result: dict[str, Any] = RunDirectory(run.path).read_result() or {}
    scores = {n: s for n, s in result.get("accuracy", {}).items() if s.get("per_class")}
    if not scores:
        return ""
    network, score = next(iter(scores.items()))
    names = run.data.get("label_names") or []
    known = sorted(
        (value, str(names[label]) if label < len(names) else str(label))
        for label, value in enumerate(score["per_class"])
        if value is not None
    )
    half = _MOST_CLASSES // 2
    several = len(known) > _MOST_CLASSES
    chosen = [*known[:half], *known[-half:]] if several else known
    words = f"Accuracy on each class, {network}"
    if several:
        words += f": the {half} worst and the {half} best of {len(known):,}"
    cells = [[name, f"{value:.2f}"] for value, name in chosen]
    return (
        f"<details><summary>{_text(words)}</summary>"
        f"{_table(cells, ['class', 'test accuracy (%)'])}</details>"
    )


def _differing_settings(groups: Sequence[Group], names: Sequence[str]) -> str:
    """Returns a table of the settings that are not the same in all groups."""
    every = sorted({name for group in groups for name in group.first.settings})
    values = {
        name: [str(group.first.settings.get(name, "-")) for group in groups]
        for name in every
    }
    different = [[n, *texts] for n, texts in values.items() if len(set(texts)) > 1]
    if not different:
        return ""
    return "<h2>Settings that differ</h2>" + _table(different, ["setting", *names])


def _table(cells: Sequence[Sequence[str]], titles: Sequence[str]) -> str:
    """Returns an HTML table in a box that scrolls by itself where it is too wide."""
    # tabulate escapes its cells, and would align numbers of other widths by itself.
    text = tabulate(
        [[_readable(cell) for cell in row] for row in cells],
        [_readable(title) for title in titles],
        "html",
        disable_numparse=True,
    )
    bold = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)
    return f'<div class="wide">{bold}</div>'


def _paragraphs(text: str) -> str:
    """Returns the HTML of paragraphs with **bold** words."""
    return "\n".join(
        "<p>" + re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", _text(part)) + "</p>"
        for part in text.strip().split("\n\n")
    )


def _readable(text: Any) -> str:
    """Returns text without what moves a cursor or turns the line around."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def _text(text: Any) -> str:
    return escape(_readable(text))
