"""Marks of accuracies that were measured in another way than most.

Networks that learn soft labels, or that were chosen by the test split, reach more from
the same images. Beside others such numbers carry a mark, and a note says what it means.
"""

from collections.abc import Sequence

from hdd_tf.methods.registry import WHOLE, traits_of
from hdd_tf.methods.traits import PublishedAs
from hdd_tf.report.comparison import published_number
from hdd_tf.report.rows import Row

_SOFT, _BEST = "†", "‡"
_NOTES = {
    _SOFT: """\
† Soft labels: networks learnt what another network says of each image, or labels that
were learnt with the images, and not the classes. **Compare † with † alone**: the same
images give more so, and any images do, random ones too.
""",
    _BEST: """\
‡ Best on test: published is the best of several looks at the test split, which is more
than any one of them. Scores of hdd_tf are of the last epoch, and of an iteration that
the test split has not chosen.
""",
}


def score_mark(row: Row) -> str:
    """Returns the mark of a row's measured accuracy, often none."""
    return f" {_SOFT}" if row.is_soft else ""


def published_mark(row: Row) -> str:
    """Returns the marks of a row's published accuracy, often none."""
    traits = traits_of(row.objective)
    if traits is None or row.objective == WHOLE or not published_number(row):
        return ""
    marks = {
        _SOFT: PublishedAs.SOFT_LABELS in traits.published_as,
        _BEST: PublishedAs.BEST_ON_TEST in traits.published_as,
    }
    found = "".join(mark for mark, is_of in marks.items() if is_of)
    return f" {found}" if found else ""


def label_difference(row: Row) -> str | None:
    """Says that one of the measured and the published number is of soft labels alone.

    Returns:
        None where both are of the same kind, or nothing is published.
    """
    if not published_number(row):
        return None
    if row.is_soft == (_SOFT in published_mark(row)):
        return None
    kinds = ("soft", "hard") if row.is_soft else ("hard", "soft")
    return f"{kinds[0]} labels here, {kinds[1]} ones in the published number"


def mark_notes(rows: Sequence[Row]) -> list[str]:
    """Returns a paragraph for each mark that stands in a table of these rows."""
    shown = "".join(score_mark(row) + published_mark(row) for row in rows)
    return [note for mark, note in _NOTES.items() if mark in shown]
