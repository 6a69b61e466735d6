"""`poincare.png`: real and synthetic images on the Poincare disk, with centroids.

The picture follows figure 3 of Li et al., "Hyperbolic Dataset Distillation" (2025), and
its title gives the quality of the projection.
"""

import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from hdd_tf.analysis.disk_layout import METHOD, DiskLayout
from hdd_tf.analysis.embeddings import Embeddings
from hdd_tf.artifacts.drawing.drawn_text import short_names
from hdd_tf.artifacts.drawing.fonts import drawn_names
from hdd_tf.files import atomic

_INCHES = (10.0, 8.0)
_DOTS_PER_INCH = 110


def save_poincare_picture(
    path: str | os.PathLike,
    embeddings: Embeddings,
    layout: DiskLayout,
    distance: float,
    title: str = "",
) -> None:
    """Draws the picture.

    Args:
        path: PNG file to write.
        embeddings: Embeddings that the layout places.
        layout: Positions of the embeddings and of the centroids.
        distance: Distance between the two centroids of all classes, in units of 1/s.
        title: Which images these are, the first line of the title.
    """
    # Without pyplot, whose choice of a backend may need a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(_INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    shown = [embeddings.label_names[label] for label in layout.classes]
    with drawn_names([*short_names(shown), title]) as (*names, heading):
        _draw(axes, embeddings, layout, distance, names, heading)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH)
    atomic.write_bytes(path, buffer.getvalue())


def _draw(
    axes: Any,
    embeddings: Embeddings,
    layout: DiskLayout,
    distance: float,
    names: Sequence[str],
    heading: str,
) -> None:
    """Draws the disk, what lies in it, and the title."""
    _draw_disk(axes)
    _draw_classes(axes, embeddings, layout, names)
    real, synthetic = layout.centroids[0]
    axes.plot(*real, "*", color="black", markersize=17, label="centroid, real")
    axes.plot(
        *synthetic, "P", color="red", markersize=12, markeredgecolor="black",
        label="centroid, synthetic",
    )  # fmt: skip
    classes = len(embeddings.label_names)
    if len(names) < classes:
        heading += f" (the first {len(names)} of {classes:,} classes)"
    axes.set_title(
        f"{heading}\n"
        * bool(heading)
        + "real (dots) and synthetic (triangles), centroid of each class (circle and "
        f"diamond)\ncurvature {embeddings.curvature:.4g}, distance of the centroids "
        f"{distance:.3f} in units of 1 / sqrt(-curvature)\n{METHOD}:\n"
        f"stress {layout.stress:.2f}, rank correlation {layout.rank_correlation:.2f}",
        fontsize=9,
    )
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)


def _draw_classes(
    axes: Any, embeddings: Embeddings, layout: DiskLayout, names: Sequence[str]
) -> None:
    """Draws the samples of each class and its two centroids, in one colour."""
    labels, synthetic = (
        embeddings.labels[layout.rows],
        embeddings.synthetic[layout.rows],
    )
    for number, label in enumerate(layout.classes):
        colour = f"C{number}"
        real = layout.coordinates[(labels == label) & ~synthetic]
        made = layout.coordinates[(labels == label) & synthetic]
        axes.scatter(*real.T, s=9, color=colour, alpha=0.45, linewidths=0)
        axes.scatter(
            *made.T, s=38, color=colour, marker="^", edgecolors="black",
            linewidths=0.6, label=names[number],
        )  # fmt: skip
        pair = layout.centroids[1 + number]
        axes.plot(*pair.T, "-", color=colour, linewidth=1)
        for marker, centroid in zip("oD", pair, strict=True):
            axes.plot(
                *centroid, marker, color=colour, markersize=7, markeredgecolor="white"
            )


def _draw_disk(axes: Any) -> None:
    """Draws the rim, the root, and circles of equal radius."""
    angles = np.linspace(0.0, 2.0 * np.pi, 361)
    circle = np.stack([np.cos(angles), np.sin(angles)])
    axes.plot(*circle, color="black", linewidth=1)
    for radius in (1, 2, 3, 4):
        length = np.tanh(0.5 * radius)
        axes.plot(*(length * circle), color="grey", linewidth=0.4)
        axes.annotate(f"r = {radius}", (0, -length), fontsize=7, color="grey")
    axes.plot(0, 0, "+", color="grey", markersize=10)
    axes.set_aspect("equal")
    axes.set_axis_off()
