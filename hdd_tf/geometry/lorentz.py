"""Points and distances in hyperbolic space, accurate in float32.

The curvature is K < 0. Points of the hyperboloid satisfy <x, x>_L = 1/K with
<x, y>_L = -x_0 y_0 + sum_i x_i y_i, time coordinate first; s = sqrt(-K). The
authors' tables and library give the reference k = -1/K: their 2 is our K = -1/2.

The pair `(klein [..., d], log_gamma [...])` = (tanh(r) u, log cosh(r)) represents the
point at distance r/s from the origin in the unit direction u. Its hyperboloid
coordinates are exp(log_gamma) (1, klein) / s. These coordinates overflow (cosh(90) in
float32, cosh(711) in float64), and their inner products cancel when two points are
close. The pair does neither: up to radius 1e4 it is accurate within a few machine
epsilons times the radius. Curvature enters only where lengths do: in the lifts, the
distance and the coordinates.

Li et al., "Hyperbolic Dataset Distillation" (2025, arXiv:2505.24623), differs from this
folder, which follows the authors' program, in three places:

- The centroid (`centroids.py`) is zbar / (s sqrt(|<zbar, zbar>_L|)). The paper
  multiplies by sqrt(-K), which leaves the hyperboloid for every K except -1.
- The distance is acosh(K <x, y>_L) / s. The paper has -K, but <x, y>_L <= 1/K < 0.
- The program clamps r at 10 in the exponential map, which the paper does not mention.
  Features of a random ConvNet have r of about 25, so the clamp acts on every published
  result.

All functions take float32 or float64 tensors with any leading dimensions and return
the same dtype. Values and gradients are also finite at v = 0, for a single sample and
for coincident points, where the distance has the subgradient zero.
"""

import math
from collections.abc import Callable

import tensorflow as tf

from hdd_tf.geometry.finite import TINY_NORM, log_cosh, norm, replace, safe_log

Point = tuple[tf.Tensor, tf.Tensor]

_LOG_2 = math.log(2.0)
_LOG_3 = math.log(3.0)


def check_options(
    curvature: float, lift: str = "expmap0", max_tangent_norm: float = 0.0
) -> None:
    """Checks the options of a lift.

    Args:
        curvature: K < 0, finite.
        lift: Key of `LIFTS`.
        max_tangent_norm: Clamp in the exponential map, >= 0 and finite.

    Raises:
        ValueError: an option is out of its range; the message shows its value.
    """
    if isinstance(curvature, (str, bytes)):
        raise ValueError(
            f"`curvature` must be a number, not text. Received: {curvature!r}."
        )
    if not -math.inf < curvature < 0:
        raise ValueError(
            f"`curvature` must be negative and finite. Received: {curvature}."
        )
    if lift not in LIFTS:
        raise ValueError(f"`lift` must be one of {sorted(LIFTS)}. Received: {lift!r}.")
    if not 0 <= max_tangent_norm < math.inf:
        raise ValueError(
            "`max_tangent_norm` must be finite, and positive or 0 (no clamp). "
            f"Received: {max_tangent_norm}."
        )


def expmap0(v: tf.Tensor, curvature: float, max_tangent_norm: float = 0.0) -> Point:
    """Maps tangent vectors at the origin to points: the exponential map.

    Args:
        v: `[..., d]` tangent vectors.
        curvature: K < 0.
        max_tangent_norm: Clamp of r = s |v|; the authors' clamp is 10, and 0 is none.
            Beyond the clamp the gradient has no radial part.

    Returns:
        `(klein [..., d], log_gamma [...])`. At v = 0 the point is the origin, and the
        derivatives are the limits: s times the identity for klein, 0 for log_gamma.

    Example:
        >>> klein, log_gamma = expmap0(tf.constant([[3.0, 4.0]]), curvature=-1.0)
        >>> print(klein.numpy().round(4), log_gamma.numpy().round(4))
        [[0.5999 0.7999]] [4.3069]
    """
    scale = scale_of(curvature)
    length = norm(v)
    radius = scale * length
    if max_tangent_norm > 0:
        radius = tf.minimum(radius, max_tangent_norm)
    # tanh(r)/|v| is 0/0 at the origin; its limit is s.
    factor = tf.math.divide_no_nan(tf.tanh(radius), length)
    factor = replace(factor, length < TINY_NORM, scale)
    return v * factor, log_cosh(radius[..., 0])


def logmap0(point: Point, curvature: float) -> tf.Tensor:
    """Maps points to tangent vectors at the origin: the inverse of `expmap0`.

    Args:
        point: `(klein [..., d], log_gamma [...])`.
        curvature: K < 0.

    Returns:
        `[..., d]` tangent vectors, 0 at the origin.

    Example:
        >>> point = expmap0(tf.constant([[3.0, 4.0]]), curvature=-0.25)
        >>> print(logmap0(point, curvature=-0.25).numpy().round(4))
        [[3. 4.]]
    """
    klein, log_gamma = point
    origin = tf.zeros_like(klein), tf.zeros_like(log_gamma)
    length = geodesic_distance(point, origin, curvature)[..., None]
    return length * tf.math.divide_no_nan(klein, norm(klein))


def project(v: tf.Tensor, curvature: float) -> Point:
    """Lifts `v` to the hyperboloid point (sqrt(1/s^2 + |v|^2), v).

    Args:
        v: `[..., d]` spatial coordinates; in float32, s |v| must be below 1e19.
        curvature: K < 0.

    Returns:
        `(klein [..., d], log_gamma [...])`.
    """
    scale = scale_of(curvature)
    square_sinh = tf.square(scale * norm(v))
    klein = v * (scale * tf.math.rsqrt(1.0 + square_sinh))
    return klein, 0.5 * tf.math.log1p(square_sinh[..., 0])


# Only the exponential map has a clamp.
LIFTS: dict[str, Callable[[tf.Tensor, float, float], Point]] = {
    "expmap0": expmap0,
    "project": lambda v, curvature, max_tangent_norm: project(v, curvature),
}


def lift(
    v: tf.Tensor,
    curvature: float,
    lift: str = "expmap0",
    max_tangent_norm: float = 0.0,
) -> Point:
    """Lifts features to points.

    Args:
        v: `[..., d]` features.
        curvature: K < 0.
        lift: Name of the map, `expmap0` or `project`.
        max_tangent_norm: Clamp of s |v| in the exponential map; 0 for none.

    Returns:
        `(klein [..., d], log_gamma [...])`.

    Raises:
        ValueError: an option is out of its range; the message shows its value.
    """
    check_options(curvature, lift, max_tangent_norm)
    return LIFTS[lift](v, curvature, max_tangent_norm)


def geodesic_distance(point_a: Point, point_b: Point, curvature: float) -> tf.Tensor:
    """Returns the distance acosh(K <a, b>_L) / s, without forming the inner product.

    For points (k_a, l_a) and (k_b, l_b), K <a, b>_L = 1 + 2q with
    q = sinh^2((l_a - l_b) / 2) + |k_a - k_b|^2 exp(l_a + l_b) / 4. Nothing cancels near
    q = 0, and for large q the sum is computed from logarithms.

    Args:
        point_a: `(klein [..., d], log_gamma [...])`.
        point_b: `(klein [..., d], log_gamma [...])`; the leading dimensions of both
            points broadcast.
        curvature: K < 0.

    Returns:
        `[...]` distances >= 0.

    Example:
        >>> origin, point = (expmap0(tf.constant(v), -0.25) for v in ([0.0], [3.0]))
        >>> print(geodesic_distance(origin, point, -0.25).numpy().round(4))
        3.0
    """
    gap = tf.reduce_sum(tf.math.squared_difference(point_a[0], point_b[0]), axis=-1)
    return distance_of_gap(gap, point_a[1], point_b[1], curvature)


def distance_of_gap(
    gap: tf.Tensor, log_gamma_a: tf.Tensor, log_gamma_b: tf.Tensor, curvature: float
) -> tf.Tensor:
    """Returns the `geodesic_distance` of points whose Klein coordinates are compared.

    Args:
        gap: `[...]` squared differences |k_a - k_b|^2.
        log_gamma_a: `[...]` log cosh(r) of one point.
        log_gamma_b: `[...]` log cosh(r) of the other; all dimensions broadcast.
        curvature: K < 0.

    Returns:
        `[...]` distances >= 0.
    """
    difference, total = log_gamma_a - log_gamma_b, log_gamma_a + log_gamma_b
    # log(1 + 2q), as log(exp(x) + exp(y)), where exp(y) may be 0.
    log_radial = log_cosh(tf.abs(difference))
    log_sum = log_radial + tf.math.softplus(safe_log(gap) + total - _LOG_2 - log_radial)
    far = log_sum > _LOG_3
    # A branch that is not taken gets clipped numbers, because the infinite derivatives
    # of the true numbers, times zero, would be NaN.
    log_far = tf.maximum(log_sum, _LOG_3)
    distance_far = log_far + tf.math.log1p(tf.sqrt(1.0 - tf.exp(-2.0 * log_far)))
    radial = tf.sinh(0.5 * tf.clip_by_value(difference, -2.0, 2.0))
    growth = tf.exp(tf.minimum(total, math.log(total.dtype.max) - 2.0))
    q = tf.square(radial) + 0.25 * gap * growth
    coincident = q <= 0.0
    root = tf.sqrt(replace(q, coincident, 1.0))
    distance_near = replace(2.0 * tf.asinh(root), coincident, 0.0)
    return tf.where(far, distance_far, distance_near) / scale_of(curvature)


def scale_of(curvature: float) -> float:
    """Returns s = sqrt(-K) of a curvature K < 0.

    Raises:
        ValueError: the curvature is out of its range.
    """
    check_options(curvature)
    return math.sqrt(-curvature)
