"""The hyperbolic geometry: Lorentz centroids and their geodesic distance."""

from typing import NamedTuple

import tensorflow as tf

from hdd_tf.geometry import lorentz
from hdd_tf.geometry.layers import LorentzCentroid, LorentzLift
from hdd_tf.geometry.losses import GeodesicCentroidLoss


class HyperbolicSummary(NamedTuple):
    """Centroid of each class and the logarithm of the mass it stands for."""

    klein: tf.Tensor
    log_gamma: tf.Tensor
    log_mass: tf.Tensor


class HyperbolicGeometry:
    """Lorentz centroids, and lambda times the geodesic distance between them."""

    merges = True

    def __init__(
        self,
        curvature: float,
        lift: str = "expmap0",
        max_tangent_norm: float = 0.0,
        loss_weight: float = 1.0,
    ) -> None:
        self._lift = LorentzLift(curvature, lift, max_tangent_norm)
        self._centroid = LorentzCentroid(return_mass=True)
        self._loss = GeodesicCentroidLoss(
            curvature, lift, max_tangent_norm, loss_weight
        )

    def summarize(
        self, features: tf.Tensor, weights: tf.Tensor | None = None
    ) -> HyperbolicSummary:
        """Returns the weighted centroids of features `[c, n, d]`."""
        return HyperbolicSummary(*self._centroid(self._lift(features), weights))

    def merge(self, parts: HyperbolicSummary) -> HyperbolicSummary:
        """Returns the centroids of the parts `[p, c, ...]` together."""
        return HyperbolicSummary(*lorentz.merge_centroids(*parts))

    def loss(self, real: HyperbolicSummary, synthetic_features: tf.Tensor) -> tf.Tensor:
        """Returns lambda times the distance of the centroids, `[c]`."""
        # Not `__call__`, which would cast float64 features to float32.
        return self._loss.call((real.klein, real.log_gamma), synthetic_features)
