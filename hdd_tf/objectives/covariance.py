"""Means, covariances and remembered means (prototypes) of features, compared.

The covariance of d features over the images of a class is `S = Z'Z / (count - 1)`, with
Z the `[count, d]` rows minus their mean. Two such matrices differ by

    sum (S_s - S_r)^2 = |AA'|^2 / p^2 + |BB'|^2 / q^2 - 2 |AB'|^2 / (p q),

squared Frobenius norms of the Gram matrices of the rows A and B, p and q their counts
minus one. A class has far fewer images than a network has features, so these are small.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from hdd_tf.distillation.comparison import RealBatch
from hdd_tf.distillation.objective import Pass
from hdd_tf.exact_product import exact_matmul
from hdd_tf.geometry.layers import widen
from hdd_tf.geometry.registry import Geometry
from hdd_tf.objectives.features import FeatureComparison


class ImageCovariance(NamedTuple):
    """The covariance of the features of c classes, as the rows it is made of.

    Attributes:
        rows: `[c, n, d]` features minus their mean, 0 for images of weight 0.
        degrees: `[c]` number of images minus one.
        square: `[c]` squared Frobenius norm of the covariance.
    """

    rows: tf.Tensor
    degrees: tf.Tensor
    square: tf.Tensor


class Moments(NamedTuple):
    """Mean and covariance of the features of c classes.

    Attributes:
        centroid: Summary of the geometry.
        covariance: `ImageCovariance`, or the covariance of channels `[c, k, k]`.
    """

    centroid: Any
    covariance: Any


class Prototypes(NamedTuple):
    """The remembered means of c classes, and how much they count.

    Attributes:
        centroid: Summary of the geometry.
        weight: `[]` factor of the distance from them, 0 while they are not used.
    """

    centroid: Any
    weight: tf.Tensor


class MomentDiscrepancy:
    """The geometry's loss, plus `weight / d` times that of the covariances.

    Covariances of d features are compared by the sum of squared differences, in every
    geometry.

    Args:
        geometry: Geometry of the means.
        weight: Factor of the covariances, >= 0.
    """

    # Rows of parts of a class have other means than those of the class.
    merges = False

    def __init__(self, geometry: Geometry, weight: float) -> None:
        self._geometry = geometry
        self._weight = weight

    def summarize(
        self, features: tf.Tensor, weights: tf.Tensor | None = None
    ) -> Moments:
        """Returns mean and covariance of features `[c, n, d]` of weights 0 or 1."""
        return Moments(
            self._geometry.summarize(features, weights),
            image_covariance(features, weights),
        )

    def loss(self, real: Any, synthetic_features: tf.Tensor) -> tf.Tensor:
        """Returns the losses `[c]` of features `[c, m, d]`, m > 1."""
        known = ImageCovariance(*map(tf.stop_gradient, real.covariance))
        difference = squared_difference(known, image_covariance(synthetic_features))
        factor = self._weight / synthetic_features.shape[-1]
        return (
            self._geometry.loss(real.centroid, synthetic_features) + factor * difference
        )


class SemanticDiscrepancy(MomentDiscrepancy):
    """Distances of means, of covariances, and from prototypes.

    To the loss of the moments comes `weight / d` times the geometry's loss against the
    prototype, d the number of features.
    """

    def loss(
        self, real: tuple[Moments, Prototypes], synthetic_features: tf.Tensor
    ) -> tf.Tensor:
        """Returns the loss of each class; see `Discrepancy`.

        Args:
            real: Summary of the real features, and the prototypes of the same classes.
            synthetic_features: `[c, m, d]` features, m > 1.
        """
        moments, prototypes = real
        distance = self._geometry.loss(prototypes.centroid, synthetic_features)
        factor = tf.cast(prototypes.weight, distance.dtype)
        factor /= synthetic_features.shape[-1]
        return super().loss(moments, synthetic_features) + factor * distance


class SemanticComparison(FeatureComparison):
    """Compares features with those of real images, and with the prototypes."""

    def summarize(self, work: Pass, real: RealBatch) -> tuple[Moments, Prototypes]:
        """Returns the real images' moments, and the prototypes of their classes."""
        moments = super().summarize(work, real)
        centroid = tf.nest.map_structure(
            lambda part: tf.gather(part, real.labels), work.more.centroid
        )
        return moments, Prototypes(centroid, work.more.weight)


class ChannelDiscrepancy:
    """The geometry's loss, plus `weight` times that of the channels' covariances.

    Args:
        geometry: Geometry of the means.
        channels: Number of channels of the maps that are the features.
        weight: Factor of the covariances, >= 0.
    """

    # Parts of a class have other means than the class.
    merges = False

    def __init__(self, geometry: Geometry, channels: int, weight: float) -> None:
        self._geometry = geometry
        self._channels = channels
        self._weight = weight

    def summarize(
        self, features: tf.Tensor, weights: tf.Tensor | None = None
    ) -> Moments:
        """Returns the moments of features `[c, n, d]` of weights 0 or 1."""
        return Moments(
            self._geometry.summarize(features, weights),
            channel_covariance(features, self._channels, weights),
        )

    def loss(self, real: Moments, synthetic_features: tf.Tensor) -> tf.Tensor:
        """Returns the losses `[c]` of features `[c, m, d]`."""
        own = channel_covariance(synthetic_features, self._channels)
        difference = tf.stop_gradient(real.covariance) - own
        return self._geometry.loss(
            real.centroid, synthetic_features
        ) + self._weight * tf.reduce_sum(tf.square(difference), axis=[1, 2])


def image_covariance(
    features: tf.Tensor, weights: tf.Tensor | None = None
) -> ImageCovariance:
    """Returns the covariance of the features of each class.

    Args:
        features: `[c, n, d]` features, float32 or wider.
        weights: `[c, n]` weights, 0 or 1; None for weights of 1. A class of one image
            counts as one without covariance.
    """
    rows, count = _centred(features, weights)
    degrees = count - 1.0
    square = tf.math.divide_no_nan(_gram_square(rows, rows), tf.square(degrees))
    return ImageCovariance(rows, degrees, square)


def squared_difference(first: ImageCovariance, second: ImageCovariance) -> tf.Tensor:
    """Returns the squared Frobenius norm `[c]` of the covariances' difference."""
    cross = _gram_square(first.rows, second.rows)
    shared = tf.math.divide_no_nan(cross, first.degrees * second.degrees)
    return first.square + second.square - 2.0 * shared


def channel_covariance(
    features: tf.Tensor, channels: int, weights: tf.Tensor | None = None
) -> tf.Tensor:
    """Returns the covariance of the channels of maps, summed over all positions.

    Each position has a mean of its own over the images. The sum over the positions is
    divided by the number of images.

    Args:
        features: `[c, n, d]` flattened maps, whose fastest index is the channel.
        channels: Number of channels k, a divisor of d.
        weights: `[c, n]` weights, 0 or 1; None for weights of 1.

    Returns:
        `[c, k, k]`, of `features`' dtype or float32.
    """
    rows, count = _centred(features, weights)
    pixels = tf.reshape(rows, [rows.shape[0], -1, channels])
    products = exact_matmul(tf.linalg.matrix_transpose(pixels), pixels)
    return tf.math.divide_no_nan(products, count[:, None, None])


def _centred(
    features: tf.Tensor, weights: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Subtracts the mean of each class.

    Args:
        features: `[c, n, d]` features.
        weights: `[c, n]` weights, 0 or 1; None for weights of 1.

    Returns:
        `[c, n, d]` features minus their mean, 0 for images of weight 0, and the number
        `[c]` of images of weight 1.
    """
    features = widen(features)
    if weights is None:
        weights = tf.ones_like(features[..., 0])
    weights = tf.cast(weights, features.dtype)
    count = tf.reduce_sum(weights, axis=-1)
    total = exact_matmul(weights[:, None, :], features)
    mean = tf.math.divide_no_nan(total, count[:, None, None])
    return (features - mean) * weights[..., None], count


def _gram_square(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Returns the squared Frobenius norm `[c]` of the products of all rows."""
    products = exact_matmul(a, tf.linalg.matrix_transpose(b))
    return tf.reduce_sum(tf.square(products), axis=[1, 2])
