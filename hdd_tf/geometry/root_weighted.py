"""A hyperbolic geometry whose centroids lean towards the root.

The Lorentz centroid gives a point at radius r the weight cosh(r), which is the mean of
hyperboloid points. So points far from the root count most, and without a clamp a few of
them decide. Here the weight is cosh(r)^b with a power b <= 0: points near the root, the
prototypes of a hierarchy, count as much or more.
"""

import tensorflow as tf

from hdd_tf.geometry import centroids, lorentz
from hdd_tf.geometry.hyperbolic import HyperbolicGeometry, HyperbolicSummary
from hdd_tf.geometry.layers import widen


class RootWeightedGeometry(HyperbolicGeometry):
    """Centroids with weights cosh(r)^b, and lambda times their geodesic distance.

    The centroid is the point whose Klein coordinates are the weighted mean of those of
    the points: the Lorentz centroid of points of weights cosh(r)^(b - 1).

    Args:
        curvature: K < 0. Weights differ where radii sqrt(-K) |v| are about 1 to 2; far
            below, all are 1, and at the clamp all are equal.
        power: Power b, <= 1; at 1 this is `HyperbolicGeometry`.
        lift: Name of the map from features to points, one of `lorentz.LIFTS`.
        max_tangent_norm: Clamp in the exponential map, 0 for none.
        loss_weight: Lambda, >= 0.

    Raises:
        ValueError: an option is out of its range.
    """

    def __init__(
        self,
        curvature: float,
        power: float,
        lift: str = "expmap0",
        max_tangent_norm: float = 0.0,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(curvature, lift, max_tangent_norm, loss_weight)
        if not -100 <= power <= 1:
            raise ValueError(f"`power` must be from -100 to 1. Received: {power}.")
        self._power = float(power)
        self._weight = float(loss_weight)

    def summarize(
        self, features: tf.Tensor, weights: tf.Tensor | None = None
    ) -> HyperbolicSummary:
        """Returns the centroids of features `[c, n, d]` with weights `[c, n]` >= 0."""
        return self._centroid_of(self._lift(features), weights)

    def loss(self, real: HyperbolicSummary, synthetic_features: tf.Tensor) -> tf.Tensor:
        """Returns lambda times the distance `[c]` to centroids of `[c, m, d]`."""
        made = self._centroid_of(self._lift(widen(synthetic_features)))
        klein, log_gamma = (tf.stop_gradient(part) for part in real[:2])
        distance = lorentz.geodesic_distance(
            (klein, log_gamma), (made.klein, made.log_gamma), self._curvature
        )
        return self._weight * distance

    def _centroid_of(
        self, points: lorentz.Point, weights: tf.Tensor | None = None
    ) -> HyperbolicSummary:
        """Returns centroids, whose mass is the sum of the powers: `merge` is exact."""
        found = centroids.centroid_with_mass(*points, weights, self._power)
        return HyperbolicSummary(*found)
