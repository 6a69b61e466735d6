"""Points of hyperbolic space in the coordinates of its two usual models.

The hyperboloid's coordinates overflow, and those of the Poincare ball reach its
boundary, where the pairs of `lorentz.py` do neither. So these are for pictures, for
files, and for points that come from elsewhere.
"""

import tensorflow as tf

from hdd_tf.geometry.lorentz import Point, project, scale_of


def minkowski_inner(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Returns <x, y>_L `[...]` of hyperboloid coordinates `[..., d + 1]`."""
    return tf.reduce_sum(x[..., 1:] * y[..., 1:], axis=-1) - x[..., 0] * y[..., 0]


def to_lorentz(point: Point, curvature: float) -> tf.Tensor:
    """Returns hyperboloid coordinates `[..., d + 1]`; they overflow where cosh(r) does.

    Args:
        point: `(klein [..., d], log_gamma [...])`.
        curvature: K < 0.
    """
    klein, log_gamma = point
    time = tf.exp(log_gamma)[..., None] / scale_of(curvature)
    return tf.concat([time, time * klein], axis=-1)


def from_lorentz(coordinates: tf.Tensor, curvature: float) -> Point:
    """Returns the points of hyperboloid coordinates `[..., d + 1]`.

    The time coordinate is not used: it follows from the spatial ones.

    Args:
        coordinates: `[..., d + 1]` hyperboloid coordinates, time first.
        curvature: K < 0.
    """
    return project(coordinates[..., 1:], curvature)


def to_poincare(point: Point, curvature: float) -> tf.Tensor:
    """Returns coordinates `[..., d]` in the Poincare ball of radius 1/s.

    Curvature -1 gives the unit ball. In float32, points with r above about 17 are
    rounded to the ball's boundary.

    Args:
        point: `(klein [..., d], log_gamma [...])`.
        curvature: K < 0.
    """
    klein, log_gamma = point
    return klein / (scale_of(curvature) * (1.0 + tf.exp(-log_gamma)[..., None]))


def from_poincare(coordinates: tf.Tensor, curvature: float) -> Point:
    """Returns the points at coordinates `[..., d]` in the Poincare ball."""
    unit = scale_of(curvature) * coordinates
    square = tf.reduce_sum(tf.square(unit), axis=-1)
    klein = 2.0 * unit / (1.0 + square)[..., None]
    return klein, tf.math.log1p(square) - tf.math.log1p(-square)
