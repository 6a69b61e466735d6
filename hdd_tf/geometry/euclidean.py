"""The Euclidean geometries: means, and their distance or its square."""

from typing import NamedTuple

import tensorflow as tf

from hdd_tf.exact_product import exact_matmul
from hdd_tf.geometry.finite import norm
from hdd_tf.geometry.layers import widen
from hdd_tf.geometry.losses import MeanFeatureLoss, check_loss_weight


class EuclideanSummary(NamedTuple):
    """Mean features of c classes, in float32 or wider.

    Attributes:
        mean: `[c, d]` weighted mean feature of each class.
        mass: `[c]` sum of the weights of each class.
    """

    mean: tf.Tensor
    mass: tf.Tensor


class EuclideanGeometry:
    """Means, and the squared distance between them: plain distribution matching."""

    merges = True

    def __init__(self) -> None:
        self._loss = MeanFeatureLoss()

    def summarize(
        self, features: tf.Tensor, weights: tf.Tensor | None = None
    ) -> EuclideanSummary:
        """Returns the means of features `[c, n, d]` with weights `[c, n]` >= 0."""
        features = widen(features)
        if weights is None:
            weights = tf.ones_like(features[..., 0])
        weights = tf.cast(weights, features.dtype)
        total = exact_matmul(weights[..., None, :], features)[..., 0, :]
        mass = tf.reduce_sum(weights, axis=-1)
        return EuclideanSummary(tf.math.divide_no_nan(total, mass[..., None]), mass)

    def merge(self, parts: EuclideanSummary) -> EuclideanSummary:
        """Returns the means of the union of p parts, stacked to `[p, c, ...]`."""
        total = tf.reduce_sum(parts.mass[..., None] * parts.mean, axis=0)
        mass = tf.reduce_sum(parts.mass, axis=0)
        return EuclideanSummary(tf.math.divide_no_nan(total, mass[..., None]), mass)

    def blend(
        self,
        first: EuclideanSummary,
        second: EuclideanSummary,
        share: float | tf.Tensor,
    ) -> EuclideanSummary:
        """Returns means between two means, `share` of the way to the second."""
        return EuclideanSummary(
            *((1.0 - share) * a + share * b for a, b in zip(first, second, strict=True))
        )

    def scatter(self, features: tf.Tensor) -> tf.Tensor:
        """Returns the sum of squared distances `[c]` of `[c, n, d]` from the mean."""
        features = widen(features)
        mean = tf.reduce_mean(features, axis=1, keepdims=True)
        return tf.reduce_sum(tf.math.squared_difference(features, mean), axis=[1, 2])

    def loss(self, real: EuclideanSummary, synthetic_features: tf.Tensor) -> tf.Tensor:
        """Returns the squared distance `[c]` to the means of features `[c, m, d]`."""
        return self._loss.call(real.mean, synthetic_features)


class UnsquaredGeometry(EuclideanGeometry):
    """Means, and lambda times the distance between them.

    The gradient of a class then has a length that does not depend on how far its means
    are apart, as it does not with a geodesic distance either. So this is the control
    that tells curvature from the size of the steps.

    Args:
        loss_weight: Lambda, >= 0.

    Raises:
        ValueError: `loss_weight` is out of its range.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        check_loss_weight(loss_weight)
        self._weight = float(loss_weight)

    def loss(self, real: EuclideanSummary, synthetic_features: tf.Tensor) -> tf.Tensor:
        """Returns lambda times the distance `[c]` to the means of `[c, m, d]`.

        Where the means coincide, the gradient is 0.
        """
        synthetic = tf.reduce_mean(widen(synthetic_features), axis=1)
        difference = tf.stop_gradient(real.mean) - synthetic
        return self._weight * norm(difference)[..., 0]
