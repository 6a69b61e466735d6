"""The whole page: results, what they cost, what differs, and each group of runs."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

import hdd_tf
from hdd_tf.report.page.elements import (
    add,
    chart,
    element,
    html,
    of_markdown,
    table,
    with_code,
)
from hdd_tf.report.page.groups import group_section
from hdd_tf.report.page.images import PAGE_PIXELS
from hdd_tf.report.page.settings import settings_section
from hdd_tf.report.page.style import POLICY, STYLE
from hdd_tf.report.plot import drawn_plot
from hdd_tf.report.records import Warn
from hdd_tf.report.rows import Group, Row, table_rows
from hdd_tf.report.table import TITLE, method_title, origin, table_cells, table_notes

# Groups that have a section of their own; a page of more takes too long to open.
MOST_SECTIONS = 12
_VERDICT = "against the published protocol"


def page(groups: Sequence[Group], warn: Warn) -> str:
    """Makes the page.

    Args:
        groups: Groups of runs that differ only in the seed.
        warn: Called with one line for each set that cannot be shown.

    Returns:
        HTML that needs nothing beside it: no file, no network, no script.
    """
    rows = table_rows(groups)
    scored = [group for group in groups if any(run.accuracy for run in group.runs)]
    titles = [_title(group, rows) for group in scored]
    body = element("main", element("h1", TITLE))
    parts = {
        "results": ("Measured and published", _results(rows)),
        "seconds": ("Accuracy against seconds", [_plot(groups)]),
        "settings": (
            "Settings that differ",
            [settings_section(scored, [numbers for numbers, _ in titles])],
        ),
        "runs": ("Runs", _sections(scored, titles, warn)),
    }
    links = element("ul")
    for name, (title, _) in parts.items():
        links.append(element("li", element("a", title, href=f"#{name}")))
    body.append(element("nav", links, **{"aria-label": "Contents"}))
    for name, (title, children) in parts.items():
        body.append(element("section", element("h2", title), *children, id=name))
    foot = f"Made by hdd_tf {hdd_tf.__version__}. The page loads nothing."
    body.append(element("p", foot, kind="soft"))
    return html(element("html", _head(), element("body", body), lang="en"))


def _head() -> Element:
    policy = {"http-equiv": "Content-Security-Policy", "content": POLICY}
    scale = {"name": "viewport", "content": "width=device-width, initial-scale=1"}
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", **policy),
        element("meta", **scale),
        element("title", TITLE),
    )
    style = element("style")
    style.text = STYLE  # Not of any run; it is written as it is.
    head.append(style)
    return head


def _results(rows: Sequence[Row]) -> list[Element]:
    columns, cells = table_cells(rows)
    introduction, *sources = table_notes(rows)
    origins = element("ol")
    for row in rows:
        origins.append(with_code("li", origin(row)))
    notes = element("div", element("h3", "Where the rows come from"), origins)
    for source in sources:
        notes.append(of_markdown("p", source, kind="notes"))
    return [
        of_markdown("p", introduction),
        table(columns, cells, TITLE, long=[_VERDICT]),
        notes,
    ]


def _plot(groups: Sequence[Group]) -> Element:
    words = "test accuracy against seconds of distillation"
    return chart(
        drawn_plot(groups, "svg"),
        "image/svg+xml",
        f"Chart of {words}, a dot for each group of runs; the table has the accuracies",
        f"Dots: {words}, with the standard deviation over networks. Lines over time: "
        "accuracy on the validation split. Lines from side to side: baselines.",
    )


def _title(group: Group, rows: Sequence[Row]) -> tuple[str, str]:
    """Returns which rows of the table a group is, and what it is."""
    numbers = [
        str(number)
        for number, row in enumerate(rows, start=1)
        if row.title == "distilled" and any(row.run is run for run in group.runs)
    ]
    run = group.first
    plural = "s" if len(numbers) > 1 else ""
    soft = ", soft labels" if run.is_soft else ""
    what = f"{method_title(run)}, {run.dataset}, {run.ipc:,} per class{soft}"
    return f"row{plural} {', '.join(numbers)}", what


def _sections(
    groups: Sequence[Group], titles: Sequence[tuple[str, str]], warn: Warn
) -> list[Element]:
    made = []
    shown = groups[:MOST_SECTIONS]
    if len(groups) > len(shown):
        words = (
            f"The first {len(shown)} of {len(groups):,}; name fewer runs for others."
        )
        made.append(element("p", words))
    seen: set[str] = set()
    pixels = PAGE_PIXELS // max(1, len(shown))
    for group, (numbers, what) in zip(shown, titles, strict=False):
        section = element("section", element("h3"))
        add(section[0], f"{numbers.capitalize()}: {what}")
        for child in group_section(group, what, pixels, seen, warn):
            section.append(child)
        made.append(section)
    return made or [element("p", "No distilled set was scored.")]
