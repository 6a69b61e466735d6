"""`hierarchy.png`: the images of one class from the root to the rim.

The picture follows figure 1 of Li et al., "Hyperbolic Dataset Distillation" (2025):
images near the root should be typical of their class, images far from it special.
"""

import io
import os
from typing import Any

import numpy as np

from hdd_tf.analysis.embeddings import Embeddings
from hdd_tf.artifacts.drawing.fonts import drawn_names
from hdd_tf.files import atomic

_MOST_THUMBNAILS = 14
_INCHES = (14.0, 5.2)
_DOTS_PER_INCH = 110
# Inches of a thumbnail's longer side, for images of any size.
_THUMBNAIL = 0.72


def save_hierarchy_picture(
    path: str | os.PathLike, embeddings: Embeddings, title: str = ""
) -> dict[str, Any]:
    """Draws real and synthetic images of a class over their radii.

    The class is the one whose real images have the widest range of radii. If a class
    has many images, those at equal steps of rank are shown, from the nearest to the
    farthest.

    Args:
        path: PNG file to write.
        embeddings: Embeddings to draw.
        title: Which images these are, the first line of the title.

    Returns:
        The name of the class and the radii of the images shown, for `analysis.json`.
    """
    # Without pyplot, whose choice of a backend may need a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    label = _widest_class(embeddings)
    figure = Figure(_INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    every_axes = figure.subplots(2, sharex=True)
    shown = {}
    for axes, (kind, synthetic) in zip(
        every_axes, (("real", False), ("synthetic", True)), strict=True
    ):
        member = (embeddings.labels == label) & (embeddings.synthetic == synthetic)
        rows = _from_root_to_rim(embeddings.radius, np.flatnonzero(member))
        _draw_row(axes, embeddings, rows, embeddings.radius[member], kind)
        shown[kind] = embeddings.radius[rows].tolist()
    every_axes[1].set_xlabel("hyperbolic radius r: root (left) to rim (right)")
    classes = len(embeddings.label_names)
    with drawn_names([embeddings.label_names[label], title]) as (name, heading):
        figure.suptitle(
            f"{heading}\n"
            * bool(heading)
            + f"class {name} (of {classes:,}), curvature "
            f"{embeddings.curvature:.4g}",
            fontsize=10,
        )
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH)
    atomic.write_bytes(path, buffer.getvalue())
    return {"class": embeddings.label_names[label], "radii": shown}


def _widest_class(embeddings: Embeddings) -> int:
    real = ~embeddings.synthetic
    ranges = [
        np.ptp(embeddings.radius[real & (embeddings.labels == label)])
        for label in range(len(embeddings.label_names))
    ]
    return int(np.argmax(ranges))


def _from_root_to_rim(radius: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Returns rows of increasing radius, at equal steps of rank."""
    ordered = rows[np.argsort(radius[rows], kind="stable")]
    count = min(_MOST_THUMBNAILS, len(ordered))
    return ordered[np.rint(np.linspace(0, len(ordered) - 1, count)).astype(int)]


def _draw_row(
    axes: Any, embeddings: Embeddings, rows: np.ndarray, radii: np.ndarray, kind: str
) -> None:
    """Draws thumbnails side by side, each joined to its radius on the axis below."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    axes.plot(radii, np.zeros_like(radii), "|", color="C0", markersize=14)
    # The zoom is in points per pixel, at 72 points an inch.
    zoom = 72.0 * _THUMBNAIL / max(embeddings.images.shape[1:3])
    for place, row in zip(_places(len(rows)), rows, strict=True):
        image = embeddings.images[row]
        # Images of other than three channels show their first channel in grey.
        image = image if image.shape[-1] == 3 else np.repeat(image[..., :1], 3, -1)
        box = AnnotationBbox(
            OffsetImage(image, zoom=zoom, interpolation="nearest"),
            (embeddings.radius[row], 0.0),
            xybox=(place, 0.55),
            boxcoords="axes fraction",
            pad=0.1,
            arrowprops={"arrowstyle": "-", "linewidth": 0.5, "color": "grey"},
        )
        axes.add_artist(box)
        axes.annotate(
            f"{embeddings.radius[row]:.2f}",
            (place, 0.86),
            xycoords="axes fraction",
            ha="center",
            fontsize=8,
        )
    axes.set_ylim(-0.1, 1.0)
    axes.set_yticks([])
    axes.set_ylabel(kind)


def _places(count: int) -> np.ndarray:
    """Returns the thumbnails' centres `[count]`, as fractions of the width."""
    return (np.arange(count) + 0.5) / count
