"""The unit sphere: points, their mean directions, and the angles between these.

A feature v in R^d is a tangent vector at the root p0 = (1, 0) of the unit sphere in
R^(d+1), and its point is the end of the geodesic from p0 with velocity v. Features of a
sphere of curvature K > 0 are scaled by sqrt(K) before, and angles divided by it after.

All functions take float32 or float64 tensors and return the same dtype. Gradients are
finite everywhere: at the root, for coincident points, for antipodes, and where points
cancel and have no mean direction.
"""

import math

import tensorflow as tf

from hdd_tf.geometry.euclidean import EuclideanGeometry, EuclideanSummary
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


class SphericalGeometry:
    """Mean directions on the unit sphere, and the angle between them."""

    merges = True

    def __init__(self) -> None:
        self._means = EuclideanGeometry()

    def summarize(
        self, features: tf.Tensor, weights: tf.Tensor | None = None
    ) -> EuclideanSummary:
        """Returns the mean points, `[c, d + 1]` and not of length 1.

        Args:
            features: `[c, n, d]` tangent vectors at the root.
            weights: `[c, n]` weights >= 0; None for weights of 1.
        """
        return self._means.summarize(expmap0(widen(features)), weights)

    def merge(self, parts: EuclideanSummary) -> EuclideanSummary:
        """Returns the means of the union of p parts, stacked to `[p, c, ...]`."""
        return self._means.merge(parts)

    def blend(
        self,
        first: EuclideanSummary,
        second: EuclideanSummary,
        share: float | tf.Tensor,
    ) -> EuclideanSummary:
        """Returns means of two points each, of weights 1 - share and share."""
        mean = (1.0 - share) * direction(first.mean) + share * direction(second.mean)
        return EuclideanSummary(mean, tf.ones_like(first.mass))

    def scatter(self, features: tf.Tensor) -> tf.Tensor:
        """Returns the sum of squared angles `[c]` from the centroid of `[c, n, d]`."""
        points = expmap0(widen(features))
        centre = direction(tf.reduce_mean(points, axis=1, keepdims=True))
        return tf.reduce_sum(tf.square(angle(points, centre)), axis=-1)

    def loss(self, real: EuclideanSummary, synthetic_features: tf.Tensor) -> tf.Tensor:
        """Returns the angle `[c]` to the centroids of features `[c, m, d]`."""
        made = tf.reduce_mean(expmap0(widen(synthetic_features)), axis=1)
        return angle(direction(tf.stop_gradient(real.mean)), direction(made))
