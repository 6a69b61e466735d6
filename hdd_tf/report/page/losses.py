"""The loss of runs over their iterations, from TensorBoard's event files."""

import math
import pathlib
from collections.abc import Sequence
from typing import Any

from hdd_tf.files.record_files import small_records
from hdd_tf.report.plot import picture_file

_TAG = "loss"
# How a summary's value begins that has this tag: field 1, a text of this length.
_BEGINNING = bytes([0x0A, len(_TAG)]) + _TAG.encode()
# A scalar takes a hundred bytes, or a thousand with its first point's description.
_MOST_BYTES = 1 << 14
_MOST_POINTS = 400
_DECADE = 10.0

Curve = list[tuple[int, float]]


def loss_curve(tensorboard: pathlib.Path) -> Curve:
    """Reads the loss of one run.

    Args:
        tensorboard: Directory of the run's event files.

    Returns:
        (iteration, loss) in order; empty where no file has any. Where a run went on
        from a checkpoint, the points of its last start count.
    """
    points: Curve = []
    for path in sorted(tensorboard.glob("events.out.tfevents.*")):
        try:
            for record in small_records(path, _MOST_BYTES):
                if _BEGINNING not in record:
                    continue
                for iteration, loss in _losses(record):
                    while points and points[-1][0] >= iteration:
                        points.pop()
                    points.append((iteration, loss))
        except OSError:
            continue
    return points


def loss_picture(curves: Sequence[tuple[str, Curve]]) -> bytes:
    """Draws curves as an SVG.

    Args:
        curves: Names and points, which are not empty.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((7.0, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for name, points in curves:
        across, up = zip(*_thinned(points), strict=True)
        # One point alone would be no line.
        axes.plot(across, up, marker="o" if len(points) < 2 else "", label=name)
    values = [loss for _, points in curves for _, loss in points]
    if min(values) > 0 and max(values) > _DECADE * min(values):
        axes.set_yscale("log")
    axes.set_xlabel("iteration")
    axes.set_ylabel("loss, sum over classes")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="x-small")
    return picture_file(figure, "svg")


def _thinned(points: Curve) -> Curve:
    """Returns every so many points, with the last."""
    step = math.ceil(len(points) / _MOST_POINTS)
    return [*points[:-1][::step], points[-1]]


def _losses(record: bytes) -> list[tuple[int, float]]:
    """Returns the points of the curve that an event holds; none if it is damaged."""
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto import event_pb2
    from tensorboard.util import tensor_util

    try:
        event: Any = event_pb2.Event.FromString(record)
        found = [
            (int(event.step), float(tensor_util.make_ndarray(value.tensor).item()))
            for value in event.summary.value
            if value.tag == _TAG and value.HasField("tensor")
        ]
    except (DecodeError, TypeError, ValueError):
        return []
    return [(step, loss) for step, loss in found if math.isfinite(loss) and step >= 0]
