"""Places samples and centroids of embeddings in the disk together."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from hdd_tf.analysis.disk import project_to_disk
from hdd_tf.analysis.embeddings import Embeddings, first_of_each
from hdd_tf.geometry import lorentz

# Readers cannot distinguish more colours, and more points hide each other.
_MOST_CLASSES = 10
_MOST_POINTS = 600
METHOD = (
    "radii exact; angles such that hyperbolic distances in the disk are nearest those "
    "in the ball (least stress)"
)


@dataclasses.dataclass(frozen=True, eq=False)
class DiskLayout:
    """Positions of samples and centroids in the unit disk of curvature -1.

    Attributes:
        rows: `[m]` indices of the embeddings shown.
        coordinates: `[m, 2]` positions of the embeddings `rows`.
        classes: `[k]` labels of the classes shown.
        centroids: `[k + 1, 2, 2]` positions of centroids. The first axis is all classes
            of the data set, then each class shown; the second is real, then synthetic.
        stress: Stress of the projection, see `disk.DiskProjection`.
        rank_correlation: Rank correlation of the projection, see
            `disk.DiskProjection`.
    """

    rows: np.ndarray
    coordinates: np.ndarray
    classes: np.ndarray
    centroids: np.ndarray
    stress: float
    rank_correlation: float

    def to_json(self, embeddings: Embeddings) -> dict[str, Any]:
        """Returns the layout's method and quality, for `analysis.json`."""
        return {
            "method": METHOD,
            "points": len(self.rows),
            "classes": [embeddings.label_names[label] for label in self.classes],
            "stress": self.stress,
            "rank_correlation": self.rank_correlation,
        }


def lay_out(embeddings: Embeddings) -> DiskLayout:
    """Places the first ten classes, with at most 300 images of each kind."""
    classes = np.unique(embeddings.labels)[:_MOST_CLASSES]
    rows = _some_of_each_kind(embeddings, classes)
    klein, log_gamma = [embeddings.klein[rows]], [embeddings.log_gamma[rows]]
    groups = [np.ones(len(embeddings.labels), bool)]
    groups += [embeddings.labels == label for label in classes]
    for group in groups:
        for kind in (False, True):
            point = embeddings.centroid(group & (embeddings.synthetic == kind))
            klein.append(point[0].numpy()[None])
            log_gamma.append(point[1].numpy()[None])
    points = np.concatenate(klein), np.concatenate(log_gamma)
    projection = project_to_disk(*points, _radii(*points))
    return DiskLayout(
        rows,
        projection.coordinates[: len(rows)],
        classes,
        projection.coordinates[len(rows) :].reshape(-1, 2, 2),
        projection.stress,
        projection.rank_correlation,
    )


def _some_of_each_kind(embeddings: Embeddings, classes: np.ndarray) -> np.ndarray:
    shown = np.isin(embeddings.labels, classes)
    kinds = [
        np.flatnonzero(shown & (embeddings.synthetic == kind)) for kind in (False, True)
    ]
    half = _MOST_POINTS // 2
    return np.concatenate(
        [rows[first_of_each(embeddings.labels[rows], half)] for rows in kinds]
    )


def _radii(klein: np.ndarray, log_gamma: np.ndarray) -> np.ndarray:
    """Returns the distances from the origin, `[n]` float64 in units of 1/s."""
    point = tf.constant(klein, tf.float64), tf.constant(log_gamma, tf.float64)
    origin = tf.zeros_like(point[0]), tf.zeros_like(point[1])
    return lorentz.geodesic_distance(point, origin, -1.0).numpy()
