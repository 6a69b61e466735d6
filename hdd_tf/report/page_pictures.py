"""Pictures within a page: those of a run, and curves that are drawn for it."""

import base64
import io
import pathlib
import statistics
from collections.abc import Sequence
from html import escape
from typing import Any

from PIL import Image

from hdd_tf.artifacts.fonts import drawn_names
from hdd_tf.report.rows import Group
from hdd_tf.report.training_curves import read_losses

# Bounds of one picture: pixels of its longer side, bytes as PNG, pixels of its file.
_LONGEST_SIDE = 1600
_MOST_BYTES = 400_000
_MOST_PIXELS = 60_000_000


def figure_of_file(path: pathlib.Path, words: str) -> str:
    """Returns the HTML of a picture of a run.

    Args:
        path: PNG file, of anyone's making.
        words: What the picture shows, as text.

    Returns:
        A figure with the picture in it, at most 1,600 pixels wide and high; "" if there
        is none, or it is damaged.
    """
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                return ""
            shown = picture.convert("RGB")
            shown.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""
    more = len(list(path.parent.glob(f"{path.stem}_page*.png")))
    if more:
        words += f" (the first of {more + 1} pages)"
    return figure(_encoded(shown), words)


def figure(data: str, words: str) -> str:
    """Returns the HTML of a picture.

    Args:
        data: Its `data:` address.
        words: What it shows, as text: its caption, and what is read aloud.
    """
    text = escape(words)
    return (
        f'<figure><img src="{data}" alt="{text}" loading="lazy">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def loss_figure(groups: Sequence[Group], names: Sequence[str]) -> str:
    """Returns the HTML of the losses of groups of runs; "" where none is recorded.

    Args:
        groups: Groups of runs that differ only in the seed; a line is a mean over them.
        names: Name of each group.
    """
    curves = [_mean_curve(group) for group in groups]
    if not any(curves):
        return ""
    # Without pyplot, whose choice of a backend may need a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn: Any = Figure((8.0, 4.0), layout="constrained")
    FigureCanvasAgg(drawn)
    axes = drawn.subplots()
    buffer = io.BytesIO()
    with drawn_names(names) as labels:
        for curve, label in zip(curves, labels, strict=True):
            if curve:
                marker = "." if len(curve) < 20 else ""
                axes.plot(*zip(*curve, strict=True), label=label, marker=marker)
        if all(value > 0 for curve in curves for _, value in curve):
            axes.set_yscale("log")
        axes.set_xlabel("iteration")
        axes.set_ylabel("loss")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="x-small")
        drawn.savefig(buffer, format="png", dpi=110)
    return figure(png_address(buffer.getvalue()), "Loss of the distillation")


def png_address(content: bytes) -> str:
    """Returns the `data:` address of a PNG file's content."""
    return _address("png", content)


def _mean_curve(group: Group) -> list[tuple[int, float]]:
    """Returns the mean loss over runs, at the iterations that all of them recorded."""
    losses = [dict(found) for run in group.runs if (found := read_losses(run.path))]
    if not losses:
        return []
    common = sorted(set.intersection(*map(set, losses)))
    return [(step, statistics.fmean(loss[step] for loss in losses)) for step in common]


def _encoded(picture: Image.Image) -> str:
    """Returns the `data:` address of a picture: exact where that is short enough."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    if buffer.tell() <= _MOST_BYTES:
        return png_address(buffer.getvalue())
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80, optimize=True)
    return _address("jpeg", buffer.getvalue())


def _address(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
