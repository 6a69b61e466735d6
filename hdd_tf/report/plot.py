"""A picture of accuracy against seconds of distillation."""

import io
import itertools
import math
import os
import statistics
from collections.abc import Sequence
from typing import Any, Literal

from hdd_tf.artifacts.drawing.fonts import drawn_names
from hdd_tf.config import names_of
from hdd_tf.files import atomic
from hdd_tf.report.comparison import partial_set
from hdd_tf.report.rows import Group, table_rows
from hdd_tf.report.run import Run
from hdd_tf.report.table import method_title, trained_on
from hdd_tf.settings.scope import Scope

_PANEL_INCHES = (8.0, 4.5)
_DOTS_PER_INCH = 120
# Seconds that spread over more than this are shown on a logarithmic axis.
_DECADE = 10.0
# Settings by which a legend tells groups apart, at most; seeds are pooled, and labels
# have the iterations already.
_MOST_TOLD = 3
_NOT_TOLD = {*names_of(Scope.SEED, Scope.MAY_GROW, Scope.BASELINES)}


def save_plot(path: str | os.PathLike, groups: Sequence[Group]) -> None:
    """Writes the picture of `drawn_plot` as a PNG file.

    Args:
        path: File to write.
        groups: As in `drawn_plot`.
    """
    atomic.write_bytes(path, drawn_plot(groups, "png"))


def drawn_plot(groups: Sequence[Group], kind: Literal["png", "svg"]) -> bytes:
    """Draws one panel for each data set and IPC, one colour for each group of runs.

    A dot with a bar is the test accuracy at the end: mean and standard deviation over
    all networks of all sets. A line is the accuracy on the validation split during the
    run, if the runs have such scores. Seconds are those of distillation alone, the mean
    over seeds. A line from side to side is a baseline, which takes no distillation.

    Args:
        groups: Groups of runs that differ only in the seed. Runs without seconds are
            left out.
        kind: Format of the picture.

    Returns:
        The contents of a file; the same for the same runs.
    """
    # Half a second of imports, which the table does not need. No display either: the
    # figure is made without pyplot and its choice of a backend.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels: dict[tuple[str, int], list[Group]] = {}
    for group in groups:
        panels.setdefault((group.first.dataset, group.first.ipc), []).append(group)
    width, height = _PANEL_INCHES
    figure = Figure((width, height * len(panels)), layout="constrained")
    FigureCanvasAgg(figure)
    every_axes = figure.subplots(len(panels), squeeze=False)[:, 0]
    with drawn_names(dataset for dataset, _ in panels) as names:
        for axes, name, ((_, ipc), members) in zip(
            every_axes, names, panels.items(), strict=True
        ):
            axes.set_title(f"{name}, {ipc} per class")
            _draw_panel(axes, members)
        return picture_file(figure, kind)


def picture_file(figure: Any, kind: Literal["png", "svg"]) -> bytes:
    """Returns a matplotlib figure as the contents of a file.

    Args:
        figure: The figure.
        kind: Format of the file. An SVG has its letters as outlines, so that it needs
            no font, and neither a date nor random names.
    """
    import matplotlib

    buffer = io.BytesIO()
    undated = {"Date": None} if kind == "svg" else None
    with matplotlib.rc_context({"svg.hashsalt": "hdd_tf"}):
        figure.savefig(buffer, format=kind, dpi=_DOTS_PER_INCH, metadata=undated)
    return buffer.getvalue()


def history_curve(runs: Sequence[Run]) -> list[tuple[float, float]]:
    """Returns the mean validation accuracy of runs over their seconds.

    Only iterations that all runs with scores have are used: otherwise a point would be
    a mean over other seeds than its neighbours.

    Args:
        runs: Runs that differ only in the seed. Runs without scores are left out.

    Returns:
        (seconds, accuracy in percent) of each iteration, means over runs.
    """
    histories = [
        {score.iteration: score for score in run.history} for run in runs if run.history
    ]
    if not histories:
        return []
    common = sorted(set.intersection(*map(set, histories)))
    points = [[history[iteration] for history in histories] for iteration in common]
    return [
        (
            statistics.fmean(score.seconds for score in scores),
            statistics.fmean(score.accuracy for score in scores),
        )
        for scores in points
    ]


def _draw_panel(axes: Any, groups: Sequence[Group]) -> None:
    seconds: list[float] = []
    labels = group_labels(groups)
    for number, group in enumerate(groups):
        colour, label = f"C{number % 10}", labels[number]
        curve = history_curve(group.runs)
        if curve:
            across, up = zip(*curve, strict=True)
            axes.plot(across, up, "-", color=colour, label=f"{label}: validation")
            seconds += across
        timed = [run.seconds for run in group.runs if run.seconds is not None]
        for marker, network in zip("osD^v<>p*hXP" * 9, _networks(group), strict=False):
            if not timed:
                continue
            values = [v for run in group.runs for v in run.accuracy.get(network, ())]
            axes.errorbar(
                statistics.fmean(timed),
                statistics.fmean(values),
                statistics.pstdev(values),
                fmt=marker,
                capsize=3,
                color=colour,
                label=f"{label}: test, {network}",
            )
            seconds.append(statistics.fmean(timed))
    lines = _draw_baselines(axes, groups)
    positive = [value for value in seconds if value > 0]
    spread = max(positive) / min(positive) if positive else 1.0
    if spread > _DECADE and math.isfinite(spread):
        axes.set_xscale("log")
    axes.set_xlabel("seconds of distillation")
    axes.set_ylabel("accuracy (%)")
    axes.grid(alpha=0.3)
    if seconds or lines:
        axes.legend(fontsize="x-small")


def _draw_baselines(axes: Any, groups: Sequence[Group]) -> int:
    """Draws a line at the mean accuracy of each baseline; returns their number."""
    baselines = [row for row in table_rows(groups) if row.title != "distilled"]
    styles = itertools.cycle(("--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))))
    for row, style in zip(baselines, styles, strict=False):
        label = f"{trained_on(row)}, {row.network}: {row.mean:.1f}"
        label = f"{label}{', soft labels' if row.is_soft else ''}".replace("$", r"\$")
        axes.axhline(row.mean, color="0.35", linestyle=style, linewidth=1, label=label)
    return len(baselines)


def _networks(group: Group) -> list[str]:
    return list(dict.fromkeys(name for run in group.runs for name in run.accuracy))


def group_labels(groups: Sequence[Group]) -> list[str]:
    """Returns what a legend calls the groups of one data set and IPC.

    Groups of one method are told apart by the settings that differ among them.

    Args:
        groups: The groups; each is another method, or has another setting.
    """
    titles = [method_title(group.first) for group in groups]
    labels = []
    for group, title in zip(groups, titles, strict=True):
        alike = [g for g, other in zip(groups, titles, strict=True) if other == title]
        labels.append(_label(group) + "".join(f", {d}" for d in _own(group, alike)))
    return [
        f"{label}, {_protocol(group)}" if labels.count(label) > 1 else label
        for label, group in zip(labels, groups, strict=True)
    ]


def _own(group: Group, alike: Sequence[Group]) -> list[str]:
    """Returns the first settings of a group by which it differs from others."""
    of_all = [other.first.settings for other in alike]
    names = [
        name
        for name in group.first.settings
        if name not in _NOT_TOLD
        and group.first.reads(name)
        and len({str(settings.get(name)) for settings in of_all}) > 1
    ]
    more = ["..."] if len(names) > _MOST_TOLD else []
    # Two dollars would make mathematics of what is between them.
    told = [f"--{n}={group.first.settings[n]}" for n in names[:_MOST_TOLD]]
    return [word.replace("$", r"\$") for word in told] + more


def _protocol(group: Group) -> str:
    """Returns what most often tells groups of one method apart."""
    protocol, settings = group.first.protocol, group.first.settings
    epochs = protocol.get("epochs", settings.get("eval_epochs"))
    return f"scored after {epochs} epochs"


def _label(group: Group) -> str:
    run, sets = group.first, len(group.runs)
    partial = ", partial data set" if partial_set(run) else ""
    plural = "s" if sets > 1 else ""
    title = f"{method_title(run)}, {run.iterations:,} iterations, {sets} set{plural}"
    # Two dollars would make mathematics of what is between them.
    soft = ", soft labels" if run.is_soft else ""
    return f"{title}{soft}{partial}".replace("$", r"\$")
