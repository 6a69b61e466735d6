"""The report of run directories, as text and cell by cell."""

from hdd_tf.report.collect import collect_runs
from hdd_tf.report.rows import group_runs, table_rows
from hdd_tf.report.table import report_text


def text_of(place, warnings=None):
    warn = [].append if warnings is None else warnings.append
    return report_text(table_rows(group_runs(collect_runs([str(place)], warn), warn)))


def table(place, warnings=None):
    """The cells of each row of the report, by the column's title."""
    text = text_of(place, warnings)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    titles, _, *rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in lines
    ]
    return [dict(zip(titles, row, strict=True)) for row in rows]
