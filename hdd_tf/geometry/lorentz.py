"""Points, centroids and distances in hyperbolic space, accurate in float32.

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
module, which follows the authors' program, in three places:

- The centroid is zbar / (s sqrt(|<zbar, zbar>_L|)). The paper multiplies by sqrt(-K),
  which leaves the hyperboloid for every K except -1.
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

from hdd_tf.exact_product import exact_matmul

Point = tuple[tf.Tensor, tf.Tensor]

# Below this norm tanh(r) = r to the last bit. Its square does not underflow in float32.
_TINY_NORM = 1e-18
# Stands for the logarithm of 0. The exponential of it, or of half of it, is 0 like that
# of -inf, with which `tf.debugging.enable_check_numerics` would end a training.
_LOG_0 = -1e30
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
    scale = _scale(curvature)
    norm = _norm(v)
    radius = scale * norm
    if max_tangent_norm > 0:
        radius = tf.minimum(radius, max_tangent_norm)
    # tanh(r)/|v| is 0/0 at the origin; its limit is s.
    factor = tf.math.divide_no_nan(tf.tanh(radius), norm)
    factor = _replace(factor, norm < _TINY_NORM, scale)
    return v * factor, _log_cosh(radius[..., 0])


def project(v: tf.Tensor, curvature: float) -> Point:
    """Lifts `v` to the hyperboloid point (sqrt(1/s^2 + |v|^2), v).

    Args:
        v: `[..., d]` spatial coordinates; in float32, s |v| must be below 1e19.
        curvature: K < 0.

    Returns:
        `(klein [..., d], log_gamma [...])`.
    """
    scale = _scale(curvature)
    square_sinh = tf.square(scale * _norm(v))
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


def lorentz_weights(
    log_gamma: tf.Tensor, weights: tf.Tensor | None = None
) -> tf.Tensor:
    """Returns the share of each point in the centroid, w_i cosh(r_i) over their sum.

    Args:
        log_gamma: `[..., n]` log cosh(r) of the points.
        weights: `[..., n]` weights >= 0; None for equal weights.

    Returns:
        `[..., n]` shares of sum 1; all 0 where all `weights` are 0.
    """
    return _normalise(_add_log(weights, log_gamma))[0]


def centroid(
    klein: tf.Tensor, log_gamma: tf.Tensor, weights: tf.Tensor | None = None
) -> Point:
    """Returns the Lorentz centroid: the normalised weighted sum of hyperboloid points.

    Args:
        klein: `[..., n, d]` Klein coordinates of the points.
        log_gamma: `[..., n]` log cosh(r) of the points.
        weights: `[..., n]` weights >= 0; None for equal weights. Only their ratios
            matter. Where all weights are 0, the centroid is the origin.

    Returns:
        `(klein [..., d], log_gamma [...])`.

    Example:
        >>> points = expmap0(tf.constant([[2.0, 0.0], [-2.0, 0.0]]), -1.0)
        >>> klein, log_gamma = centroid(*points)
        >>> print(klein.numpy().round(4), log_gamma.numpy().round(4))
        [0. 0.] 0.0
    """
    return centroid_with_mass(klein, log_gamma, weights)[:2]


def centroid_with_mass(
    klein: tf.Tensor, log_gamma: tf.Tensor, weights: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the `centroid` and the logarithm of its mass.

    Args:
        klein: `[..., n, d]` Klein coordinates of the points.
        log_gamma: `[..., n]` log cosh(r) of the points.
        weights: `[..., n]` weights >= 0; None for weights of 1.

    Returns:
        `(klein [..., d], log_gamma [...], log_mass [...])` with log_mass =
        log sum_i w_i cosh(r_i), which is -1e30 where all weights are 0.
    """
    return _midpoint(klein, log_gamma, _add_log(weights, log_gamma))


def merge_centroids(
    klein: tf.Tensor, log_gamma: tf.Tensor, log_mass: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Merges centroids of the parts of one set into the centroid of the set, exactly.

    Args:
        klein: `[p, ..., d]` Klein coordinates of the centroids of p parts.
        log_gamma: `[p, ...]` log cosh(r) of the parts' centroids.
        log_mass: `[p, ...]` logarithms of the parts' masses; a part of mass 0 (-1e30 or
            less) is ignored.

    Returns:
        The centroid of the set, `(klein [..., d], log_gamma [...], log_mass [...])`, as
        `centroid_with_mass` gives it.
    """
    order = [*range(1, klein.shape.rank - 1), 0]
    return _midpoint(
        tf.transpose(klein, [*order, klein.shape.rank - 1]),
        tf.transpose(log_gamma, order),
        tf.transpose(log_mass, order),
    )


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
    log_radial = _log_cosh(tf.abs(difference))
    log_cosh = log_radial + tf.math.softplus(
        _safe_log(gap) + total - _LOG_2 - log_radial
    )
    far = log_cosh > _LOG_3
    # A branch that is not taken gets clipped numbers, because the infinite derivatives
    # of the true numbers, times zero, would be NaN.
    log_far = tf.maximum(log_cosh, _LOG_3)
    distance_far = log_far + tf.math.log1p(tf.sqrt(1.0 - tf.exp(-2.0 * log_far)))
    radial = tf.sinh(0.5 * tf.clip_by_value(difference, -2.0, 2.0))
    growth = tf.exp(tf.minimum(total, math.log(total.dtype.max) - 2.0))
    q = tf.square(radial) + 0.25 * gap * growth
    coincident = q <= 0.0
    root = tf.sqrt(_replace(q, coincident, 1.0))
    distance_near = _replace(2.0 * tf.asinh(root), coincident, 0.0)
    return tf.where(far, distance_far, distance_near) / _scale(curvature)


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
    time = tf.exp(log_gamma)[..., None] / _scale(curvature)
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
    return klein / (_scale(curvature) * (1.0 + tf.exp(-log_gamma)[..., None]))


def from_poincare(coordinates: tf.Tensor, curvature: float) -> Point:
    """Returns the points at coordinates `[..., d]` in the Poincare ball."""
    unit = _scale(curvature) * coordinates
    square = tf.reduce_sum(tf.square(unit), axis=-1)
    klein = 2.0 * unit / (1.0 + square)[..., None]
    return klein, tf.math.log1p(square) - tf.math.log1p(-square)


def _midpoint(
    klein: tf.Tensor, log_gamma: tf.Tensor, log_masses: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the centroid of `[..., n, d]` points of masses exp(log_masses)."""
    weights, log_weights, log_mass = _normalise(log_masses)
    mean = exact_matmul(weights[..., None, :], klein)[..., 0, :]
    # 1 - |mean|^2 underflows early, so it is a sum of positive terms in logarithms. The
    # squared rounding error of `mean` would hide exp(-2r) beyond r = 17 if the points
    # agree. So the spread is that of the exact differences from the heaviest point.
    heaviest = tf.argmax(log_masses, axis=-1)
    rank = klein.shape.rank
    anchor = tf.stop_gradient(tf.gather(klein, heaviest, axis=-2, batch_dims=rank - 2))
    offsets = klein - anchor[..., None, :]
    shift = exact_matmul(weights[..., None, :], offsets)
    spread = tf.reduce_sum(tf.math.squared_difference(offsets, shift), axis=-1)
    terms = [log_weights - 2.0 * log_gamma, log_weights + _safe_log(spread)]
    log_complement = _normalise(tf.concat(terms, axis=-1))[2]
    # Near the origin 1 - |mean|^2 is close to 1, where its logarithm needs log1p.
    square = tf.reduce_sum(tf.square(mean), axis=-1)
    log_complement = tf.where(
        square < 0.5, tf.math.log1p(-tf.minimum(square, 0.5)), log_complement
    )
    empty = log_mass <= 0.5 * _LOG_0
    return (
        _replace(mean, empty[..., None], 0.0),
        _replace(-0.5 * log_complement, empty, 0.0),
        log_mass,
    )


def _normalise(logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns softmax, log-softmax and log-sum-exp over the last axis.

    Entries of `_LOG_0` or less, -inf too, count as the logarithm of 0. If all entries
    do, the softmax is 0, and the log-sum-exp is `_LOG_0`.
    """
    top = tf.stop_gradient(tf.reduce_max(logits, axis=-1, keepdims=True))
    top = _replace(top, top <= 0.5 * _LOG_0, 0.0)
    exponentials = tf.exp(logits - top)
    total = tf.reduce_sum(exponentials, axis=-1, keepdims=True)
    empty = total <= 0.0
    total = _replace(total, empty, 1.0)
    log_total = top + tf.math.log(total)
    log_sum = _replace(log_total, empty, _LOG_0)
    return exponentials / total, logits - log_total, log_sum[..., 0]


def _add_log(weights: tf.Tensor | None, log_gamma: tf.Tensor) -> tf.Tensor:
    if weights is None:
        return log_gamma
    return _safe_log(tf.cast(weights, log_gamma.dtype)) + log_gamma


def _safe_log(x: tf.Tensor) -> tf.Tensor:
    """Returns the logarithm; where x is 0, `_LOG_0` with the gradient 0."""
    zero = x <= 0.0
    return _replace(tf.math.log(_replace(x, zero, 1.0)), zero, _LOG_0)


def _replace(x: tf.Tensor, where: tf.Tensor, value: float) -> tf.Tensor:
    # In a graph, `tf.where` would convert a Python number to float32.
    return tf.where(where, tf.constant(value, x.dtype), x)


def _log_cosh(r: tf.Tensor) -> tf.Tensor:
    """Returns log cosh(r) for r >= 0, with the relative precision of r near 0 too."""
    near = 0.5 * tf.math.log1p(tf.square(tf.sinh(tf.minimum(r, 1.0))))
    far = r + tf.math.log1p(tf.exp(-2.0 * r)) - _LOG_2
    return tf.where(r < 1.0, near, far)


def _norm(v: tf.Tensor) -> tf.Tensor:
    """Returns the norm `[..., 1]`; at 0 its gradient is 0, where `tf.norm` has NaN."""
    square = tf.reduce_sum(tf.square(v), axis=-1, keepdims=True)
    tiny = square < _TINY_NORM**2
    return _replace(tf.sqrt(_replace(square, tiny, 1.0)), tiny, 0.0)


def _scale(curvature: float) -> float:
    check_options(curvature)
    return math.sqrt(-curvature)
