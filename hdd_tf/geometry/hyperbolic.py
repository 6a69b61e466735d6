"""The hyperbolic geometry: Lorentz centroids and their geodesic distance."""

from typing import NamedTuple

import tensorflow as tf

from hdd_tf.geometry import centroids, lorentz
from hdd_tf.geometry.layers import LorentzCentroid, LorentzLift
from hdd_tf.geometry.losses import GeodesicCentroidLoss


class HyperbolicSummary(NamedTuple):
    """Lorentz centroids of c classes, in float32 or wider.

    Attributes:
        klein: `[c, d]` Klein coordinates of each centroid.
        log_gamma: `[c]` log cosh of each centroid's radius.
        log_mass: `[c]` logarithm of the mass of each class.
    """

    klein: tf.Tensor
    log_gamma: tf.Tensor
    log_mass: tf.Tensor


class HyperbolicGeometry:
    """Lorentz centroids, and lambda times the geodesic distance between them.

    Args:
        curvature: K < 0.
        lift: Name of the map from features to points, one of `lorentz.LIFTS`.
        max_tangent_norm: Clamp in the exponential map, 0 for none.
        loss_weight: Lambda, >= 0.

    Raises:
        ValueError: an option is out of its range.
    """

    merges = True

    def __init__(
        self,
        curvature: float,
        lift: str = "expmap0",
        max_tangent_norm: float = 0.0,
        loss_weight: float = 1.0,
    ) -> None:
        self._lift = LorentzLift(curvature, lift, max_tangent_norm)
        self._curvature = curvature
        self._centroid = LorentzCentroid(return_mass=True)
        self._loss = GeodesicCentroidLoss(
            curvature, lift, max_tangent_norm, loss_weight
        )

    def summarize(
        self, features: tf.Tensor, weights: tf.Tensor | None = None
    ) -> HyperbolicSummary:
        """Returns the centroids of features `[c, n, d]` with weights `[c, n]` >= 0."""
        # Other calls of the layer's function trace other graphs, and last bits.
        return HyperbolicSummary(*self._centroid(self._lift(features), weights))

    def merge(self, parts: HyperbolicSummary) -> HyperbolicSummary:
        """Returns the centroids of the union of p parts, stacked to `[p, c, ...]`."""
        return HyperbolicSummary(*centroids.merge_centroids(*parts))

    def blend(
        self,
        first: HyperbolicSummary,
        second: HyperbolicSummary,
        share: float | tf.Tensor,
    ) -> HyperbolicSummary:
        """Returns the centroids of two points each, of weights 1 - share and share."""
        klein = tf.stack([first.klein, second.klein], axis=-2)
        log_gamma = tf.stack([first.log_gamma, second.log_gamma], axis=-1)
        weights = tf.stack([1.0 - share, share]) * tf.ones_like(log_gamma)
        return self._centroid_of((klein, log_gamma), weights)

    def scatter(self, features: tf.Tensor) -> tf.Tensor:
        """Returns the sum of squared distances `[c]` from the centroid, of `[c, n, d]`.

        Lambda is no factor of it.
        """
        points = self._lift(features)
        centroid = self._centroid_of(points)
        around = centroid.klein[:, None], centroid.log_gamma[:, None]
        distances = lorentz.geodesic_distance(points, around, self._curvature)
        return tf.reduce_sum(tf.square(distances), axis=-1)

    def loss(self, real: HyperbolicSummary, synthetic_features: tf.Tensor) -> tf.Tensor:
        """Returns lambda times the distance `[c]` to centroids of `[c, m, d]`."""
        # `__call__` would cast float64 features to float32.
        return self._loss.call((real.klein, real.log_gamma), synthetic_features)

    def _centroid_of(
        self, points: lorentz.Point, weights: tf.Tensor | None = None
    ) -> HyperbolicSummary:
        """Returns the centroids of points `[c, n, d]` with weights `[c, n]` >= 0."""
        return HyperbolicSummary(*centroids.centroid_with_mass(*points, weights))
