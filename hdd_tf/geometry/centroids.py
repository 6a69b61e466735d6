"""Centroids in hyperbolic space, and their exact merging.

Points are the pairs `(klein, log_gamma)` of `lorentz.py`, of any curvature: a centroid
does not depend on it. Values and gradients are finite everywhere, also for a single
point, for coincident ones and where all weights are 0.
"""

import tensorflow as tf

from hdd_tf.exact_product import exact_matmul
from hdd_tf.geometry.finite import LOG_0, normalise, replace, safe_log
from hdd_tf.geometry.lorentz import Point


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
    return normalise(_add_log(weights, log_gamma))[0]


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
        >>> from hdd_tf.geometry.lorentz import expmap0
        >>> points = expmap0(tf.constant([[2.0, 0.0], [-2.0, 0.0]]), -1.0)
        >>> klein, log_gamma = centroid(*points)
        >>> print(klein.numpy().round(4), log_gamma.numpy().round(4))
        [0. 0.] 0.0
    """
    return centroid_with_mass(klein, log_gamma, weights)[:2]


def centroid_with_mass(
    klein: tf.Tensor,
    log_gamma: tf.Tensor,
    weights: tf.Tensor | None = None,
    power: float = 1.0,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the `centroid` and the logarithm of its mass.

    Args:
        klein: `[..., n, d]` Klein coordinates of the points.
        log_gamma: `[..., n]` log cosh(r) of the points.
        weights: `[..., n]` weights >= 0; None for weights of 1.
        power: Power b of cosh(r). The Lorentz centroid has 1, the mean of the Klein
            coordinates 0; below that, points near the origin count more.

    Returns:
        `(klein [..., d], log_gamma [...], log_mass [...])` with log_mass =
        log sum_i w_i cosh(r_i)^b, which is -1e30 where all weights are 0.
    """
    # Powers of 1 are not multiplied: the published centroid stays as it is.
    share = log_gamma if power == 1.0 else power * log_gamma
    return _midpoint(klein, log_gamma, _add_log(weights, share))


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


def _midpoint(
    klein: tf.Tensor, log_gamma: tf.Tensor, log_masses: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the centroid of `[..., n, d]` points of masses exp(log_masses)."""
    weights, log_weights, log_mass = normalise(log_masses)
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
    terms = [log_weights - 2.0 * log_gamma, log_weights + safe_log(spread)]
    log_complement = normalise(tf.concat(terms, axis=-1))[2]
    # Near the origin 1 - |mean|^2 is close to 1, where its logarithm needs log1p.
    square = tf.reduce_sum(tf.square(mean), axis=-1)
    log_complement = tf.where(
        square < 0.5, tf.math.log1p(-tf.minimum(square, 0.5)), log_complement
    )
    empty = log_mass <= 0.5 * LOG_0
    return (
        replace(mean, empty[..., None], 0.0),
        replace(-0.5 * log_complement, empty, 0.0),
        log_mass,
    )


def _add_log(weights: tf.Tensor | None, log_gamma: tf.Tensor) -> tf.Tensor:
    if weights is None:
        return log_gamma
    return safe_log(tf.cast(weights, log_gamma.dtype)) + log_gamma
