"""The numbers of an analysis: radii, weights and centroids of both kinds of images."""

from typing import Any

import numpy as np

from hdd_tf.analysis.embeddings import Embeddings
from hdd_tf.geometry import lorentz

# Radii or weights whose relative difference is smaller carry no information.
_AGREE = 1e-3
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def measure(embeddings: Embeddings) -> dict[str, Any]:
    """Returns radii, weights and centroid distances, for `analysis.json`.

    Distances and radii are in units of 1/s, so that they do not depend on the unit of
    length that the curvature sets.
    """
    kinds = {"real": ~embeddings.synthetic, "synthetic": embeddings.synthetic}
    return {
        "encoder": embeddings.origin,
        "curvature": embeddings.curvature,
        "max_tangent_norm": embeddings.max_tangent_norm,
        "unit_of_length": "1 / sqrt(-curvature)",
        "images": {kind: int(rows.sum()) for kind, rows in kinds.items()},
        "radius": {
            kind: _spread(embeddings.radius[rows]) for kind, rows in kinds.items()
        },
        "lorentz_weight": {
            kind: _spread(embeddings.weight[rows]) for kind, rows in kinds.items()
        },
        "centroid": _centroids(embeddings, np.ones(len(embeddings.labels), bool)),
        "centroid_per_class": {
            name: _centroids(embeddings, embeddings.labels == label)
            for label, name in enumerate(embeddings.label_names)
        },
        "nothing_to_see": nothing_to_see(embeddings),
    }


def nothing_to_see(embeddings: Embeddings) -> str:
    """Returns the reason why radii cannot be compared, or an empty text."""
    for name, values in (
        ("radii", embeddings.radius),
        ("Lorentz weights", embeddings.weight),
    ):
        if agree(values):
            return (
                f"all {name} agree within {_AGREE:g} ({values.min():.6g} to "
                f"{values.max():.6g}): no picture or ranking would mean anything; see "
                "another lift with --analysis_max_tangent_norm=0 "
                "--analysis_curvature=0."
            )
    return ""


def agree(values: np.ndarray) -> bool:
    """Returns True if all `[n]` numbers >= 0 agree within a relative 1e-3."""
    return bool(np.ptp(values) <= _AGREE * np.max(values))


def _centroids(embeddings: Embeddings, rows: np.ndarray) -> dict[str, float]:
    """Returns distance and radii of the centroids of real and synthetic images."""
    real, synthetic = (
        embeddings.centroid(rows & (embeddings.synthetic == kind))
        for kind in (False, True)
    )
    origin = tuple(0.0 * part for part in real)
    # Curvature -1 gives lengths in units of 1/s.
    return {
        "distance": float(lorentz.geodesic_distance(real, synthetic, -1.0)),
        "radius_real": float(lorentz.geodesic_distance(real, origin, -1.0)),
        "radius_synthetic": float(lorentz.geodesic_distance(synthetic, origin, -1.0)),
    }


def _spread(values: np.ndarray) -> dict[str, float]:
    quantiles = np.quantile(values, _QUANTILES)
    names = [f"q{round(100 * q):02d}" for q in _QUANTILES]
    return {
        "min": float(values.min()),
        **{name: float(q) for name, q in zip(names, quantiles, strict=True)},
        "max": float(values.max()),
    }
