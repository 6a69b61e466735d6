"""The unit sphere: points, their mean directions, and the angles between these.

A feature v in R^d is a tangent vector at the root p0 = (1, 0) of the unit sphere in
R^(d+1), and its point is the end of the geodesic from p0 with velocity v. Features of a
sphere of curvature K > 0 are scaled by sqrt(K) before, and angles divided by it after.

All functions take float32 or float64 tensors and return the same dtype. Gradients are
finite everywhere: at the root, for coincident points, for antipodes, and where points
cancel and have no mean direction.
"""

import math
from typing import NamedTuple

import tensorflow as tf

from hdd_tf.exact_product import exact_matmul
from hdd_tf.geometry.finite import TINY_NORM, norm, replace
from hdd_tf.geometry.layers import widen

# Points stay in the closed hemisphere around the root. Beyond, the exponential map
# would fold what is far away back to the root.
MAX_ANGLE = math.pi / 2


def expmap0(v: tf.Tensor) -> tf.Tensor:
    """Maps tangent vectors at the root `[..., d]` to points of the unit sphere.

    Args:
        v: Tangent vectors. The angle |v| from the root is clamped at a right angle,
            where the gradient has no radial part.

    Returns:
        `[..., d + 1]` unit vectors (cos |v|, sin |v| v / |v|), the root's axis first.

    Example:
        >>> print(expmap0(tf.constant([[0.3, 0.4]])).numpy().round(4))
        [[0.8776 0.2877 0.3835]]
    """
    length = norm(v)
    angle = tf.minimum(length, tf.constant(MAX_ANGLE, v.dtype))
    # sin(r)/|v| is 0/0 at the root; its limit is 1.
    factor = tf.math.divide_no_nan(tf.sin(angle), length)
    factor = replace(factor, length < TINY_NORM, 1.0)
    return tf.concat([tf.cos(angle), v * factor], axis=-1)


def direction(mean: tf.Tensor) -> tf.Tensor:
    """Returns unit vectors `[..., n]` of vectors; 0, with gradient 0, for a vector 0.

    The direction of the mean of points is their centroid in the chordal metric.
    """
    return tf.math.divide_no_nan(mean, norm(mean))


def angle(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Returns the angles `[...]` in [0, pi] between unit vectors `[..., n]`.

    Half of the angle has the sine |x - y| / 2 and the cosine |x + y| / 2. Unlike the
    arc cosine of the product, this is accurate near 0 and pi, where gradients are 0. A
    vector 0, which has no direction, is at a right angle to all others.
    """
    return 2.0 * tf.atan2(norm(x - y), norm(x + y))[..., 0]


class SphericalSummary(NamedTuple):
    """Mean points of c classes, in float32 or wider.

    Attributes:
        mean: `[c, d + 1]` weighted mean of the points, not scaled to length 1.
        mass: `[c]` sum of the weights.
    """

    mean: tf.Tensor
    mass: tf.Tensor


class SphericalGeometry:
    """Mean directions on the unit sphere, and the angle between them."""

    merges = True

    def summarize(
        self, features: tf.Tensor, weights: tf.Tensor | None = None
    ) -> SphericalSummary:
        """Returns the means of features `[c, n, d]` with weights `[c, n]` >= 0."""
        points = expmap0(widen(features))
        if weights is None:
            weights = tf.ones_like(points[..., 0])
        weights = tf.cast(weights, points.dtype)
        total = exact_matmul(weights[..., None, :], points)[..., 0, :]
        mass = tf.reduce_sum(weights, axis=-1)
        return SphericalSummary(tf.math.divide_no_nan(total, mass[..., None]), mass)

    def merge(self, parts: SphericalSummary) -> SphericalSummary:
        """Returns the means of the union of p parts, stacked to `[p, c, ...]`."""
        total = tf.reduce_sum(parts.mass[..., None] * parts.mean, axis=0)
        mass = tf.reduce_sum(parts.mass, axis=0)
        return SphericalSummary(tf.math.divide_no_nan(total, mass[..., None]), mass)

    def blend(
        self,
        first: SphericalSummary,
        second: SphericalSummary,
        share: float | tf.Tensor,
    ) -> SphericalSummary:
        """Returns means of two points each, of weights 1 - share and share."""
        mean = (1.0 - share) * direction(first.mean) + share * direction(second.mean)
        return SphericalSummary(mean, tf.ones_like(first.mass))

    def scatter(self, features: tf.Tensor) -> tf.Tensor:
        """Returns the sum of squared angles `[c]` from the centroid of `[c, n, d]`."""
        points = expmap0(widen(features))
        centre = direction(tf.reduce_mean(points, axis=1, keepdims=True))
        return tf.reduce_sum(tf.square(angle(points, centre)), axis=-1)

    def loss(self, real: SphericalSummary, synthetic_features: tf.Tensor) -> tf.Tensor:
        """Returns the angle `[c]` to the centroids of features `[c, m, d]`."""
        made = tf.reduce_mean(expmap0(widen(synthetic_features)), axis=1)
        return angle(direction(tf.stop_gradient(real.mean)), direction(made))
