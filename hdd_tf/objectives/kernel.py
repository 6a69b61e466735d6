"""Maximum mean discrepancy: a kernel over all pairs of real and synthetic vectors.

With the vectors s_i of a class's synthetic images, and r_j of its real ones,

    mean k(s_i, s_j) - 2 mean k(s_i, r_j) + mean k(r_i, r_j),

over all pairs, those of a vector with itself included. Adaptive kernels are sums of
five widths around the mean distance b of all vectors of the class, both sets together:

    k = sum over q in {1/4, 1/2, 1, 2, 4} of exp(-D / (q b)).

D is the squared distance in Euclidean space (a Gaussian), and the geodesic distance in
hyperbolic space. There exp(-d / b) is positive definite, because d is of negative
type; exp(-d^2 / b) is not, so that its loss can be negative.

Sources: Zhang et al., "M3D: Dataset Condensation by Minimizing Maximum Mean
Discrepancy", AAAI 2024, arXiv 2312.15927, and its program. Hyperbolic kernels are our
choice.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hdd_tf.exact_product import exact_matmul
from hdd_tf.geometry import lorentz
from hdd_tf.geometry.layers import widen

# The widths of the adaptive kernels, as multiples of b.
_WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)


class Samples(NamedTuple):
    """All vectors of c classes: a kernel needs each of them.

    Attributes:
        features: `[c, n, d]` vectors, float32 or wider.
        weights: `[c, n]` weights, 0 or 1.
    """

    features: tf.Tensor
    weights: tf.Tensor


class Pairs(NamedTuple):
    """A value of each pair of vectors of c classes.

    Attributes:
        own: `[c, m, m]` values of two synthetic vectors.
        cross: `[c, m, n]` values of a synthetic and a real vector.
        real: `[c, n, n]` values of two real vectors.
    """

    own: tf.Tensor
    cross: tf.Tensor
    real: tf.Tensor


# (synthetic vectors `[c, m, d]`, real vectors `[c, n, d]`) -> distances or products.
Measure = Callable[[tf.Tensor, tf.Tensor], Pairs]
# (distances or products, weights `[c, n]` of the real vectors) -> kernel.
Kernel = Callable[[Pairs, tf.Tensor], Pairs]


class KernelDiscrepancy:
    """The squared maximum mean discrepancy of each class; see `features.Discrepancy`.

    Args:
        measure: Distances or products of all pairs of vectors.
        kernel: Kernel as a function of them.
        loss_weight: Factor of the loss.
    """

    # Vectors of parts of a class have pairs that no part knows.
    merges = False

    def __init__(
        self, measure: Measure, kernel: Kernel, loss_weight: float = 1.0
    ) -> None:
        self._measure = measure
        self._kernel = kernel
        self._loss_weight = loss_weight

    def summarize(
        self, features: tf.Tensor, weights: tf.Tensor | None = None
    ) -> Samples:
        """Returns the vectors `[c, n, d]` with weights `[c, n]`, each 0 or 1."""
        features = widen(features)
        if weights is None:
            weights = tf.ones_like(features[..., 0])
        return Samples(features, tf.cast(weights, features.dtype))

    def loss(self, real: Samples, synthetic_features: tf.Tensor) -> tf.Tensor:
        """Returns the discrepancies `[c]` of vectors `[c, m, d]`, at least one each."""
        expected, weights = (tf.stop_gradient(part) for part in real)
        pairs = self._measure(widen(synthetic_features), expected)
        kernel = self._kernel(pairs, weights)
        shares = weights / tf.reduce_sum(weights, axis=-1, keepdims=True)
        own = tf.reduce_mean(kernel.own, axis=[1, 2])
        cross = tf.reduce_mean(kernel.cross * shares[:, None, :], axis=1)
        known = kernel.real * shares[:, :, None] * shares[:, None, :]
        return self._loss_weight * (
            own - 2.0 * tf.reduce_sum(cross, axis=-1) + tf.reduce_sum(known, [1, 2])
        )


def bandwidth(distances: Pairs, weights: tf.Tensor) -> tf.Tensor:
    """Returns the mean distance of two different vectors of a class, of either set.

    No gradient flows to it.

    Args:
        distances: Distances of c classes, 0 between a vector and itself.
        weights: `[c, n]` weights of the real vectors, 0 or 1.

    Returns:
        `[c, 1, 1]`; 0 where all vectors are equal.
    """
    own, cross, real = (tf.stop_gradient(part) for part in distances)
    total = (
        tf.reduce_sum(own, axis=[1, 2])
        + 2.0 * tf.reduce_sum(cross * weights[:, None, :], axis=[1, 2])
        + tf.reduce_sum(real * weights[:, :, None] * weights[:, None, :], axis=[1, 2])
    )
    count = float(own.shape[1]) + tf.reduce_sum(weights, axis=-1)
    return (total / (count * count - count))[:, None, None]


def adaptive(distances: Pairs, weights: tf.Tensor) -> Pairs:
    """Returns the sums of five exponentials around the `bandwidth`."""
    mean = bandwidth(distances, weights)

    def kernel(distance: tf.Tensor) -> tf.Tensor:
        # Without 0 / 0 where all vectors are equal: their kernel is 5.
        relative = tf.math.divide_no_nan(distance, mean)
        return tf.add_n([tf.exp(-relative / width) for width in _WIDTHS])

    return Pairs(*map(kernel, distances))


def squared_distances(synthetic: tf.Tensor, real: tf.Tensor) -> Pairs:
    """Returns the squared Euclidean distances of all pairs, without `[m, n, d]`."""
    # Products lose the digits that vectors share, so they are of deviations from a
    # centre, of which distances do not depend.
    centre = tf.stop_gradient(tf.reduce_mean(real, axis=1, keepdims=True))
    own, other = synthetic - centre, real - centre
    return Pairs(
        _without_diagonal(_squared_distance(own, own)),
        _squared_distance(own, other),
        _without_diagonal(_squared_distance(other, other)),
    )


def products(synthetic: tf.Tensor, real: tf.Tensor) -> Pairs:
    """Returns the inner products of all pairs."""
    pairs = ((synthetic, synthetic), (synthetic, real), (real, real))
    return Pairs(*(exact_matmul(a, _transposed(b)) for a, b in pairs))


def geodesic_distances(
    curvature: float,
    lift: str,
    max_tangent_norm: float,
    synthetic: tf.Tensor,
    real: tf.Tensor,
) -> Pairs:
    """Returns the geodesic distances of all pairs of lifted vectors.

    Args:
        curvature: K < 0.
        lift: Key of `lorentz.LIFTS`.
        max_tangent_norm: Clamp in the exponential map, 0 for none.
        synthetic: `[c, m, d]` vectors.
        real: `[c, n, d]` vectors.
    """
    options = curvature, lift, max_tangent_norm
    (own, own_gamma), (other, other_gamma) = (
        lorentz.lift(vectors, *options) for vectors in (synthetic, real)
    )
    gaps = squared_distances(own, other)

    def distance(gap: tf.Tensor, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return lorentz.distance_of_gap(gap, a[:, :, None], b[:, None, :], curvature)

    return Pairs(
        distance(gaps.own, own_gamma, own_gamma),
        distance(gaps.cross, own_gamma, other_gamma),
        distance(gaps.real, other_gamma, other_gamma),
    )


def _squared_distance(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    size = _squares(a)[:, :, None] + _squares(b)[:, None, :]
    distance = size - 2.0 * exact_matmul(a, _transposed(b))
    # What rounding leaves of a distance of 0 can be below 0, and its root is not small.
    rounding = 16.0 * np.finfo(distance.dtype.as_numpy_dtype).eps
    return tf.where(
        distance > float(rounding) * size, distance, tf.zeros_like(distance)
    )


def _without_diagonal(values: tf.Tensor) -> tf.Tensor:
    return tf.linalg.set_diag(values, tf.zeros_like(values[..., 0]))


def _squares(vectors: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.square(vectors), axis=-1)


def _transposed(vectors: tf.Tensor) -> tf.Tensor:
    return tf.linalg.matrix_transpose(vectors)
