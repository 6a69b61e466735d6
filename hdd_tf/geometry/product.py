"""The product of Euclidean, hyperbolic and spherical space, after the idea of GeoDM.

Li et al., "GeoDM: Geometry-aware Distribution Matching for Dataset Distillation" (2025,
arXiv:2512.08317), match in this product with learnable curvatures and weights. Of the
paper only its abstract was at hand. So the centroids, the distance and the way in which
curvatures and weights are learnt are ours, and its optimal transport loss is not here.
"""

from typing import NamedTuple

import tensorflow as tf

from hdd_tf.geometry.euclidean import EuclideanSummary, UnsquaredGeometry
from hdd_tf.geometry.finite import TINY_NORM, norm
from hdd_tf.geometry.hyperbolic import HyperbolicGeometry, HyperbolicSummary
from hdd_tf.geometry.layers import widen
from hdd_tf.geometry.losses import check_loss_weight
from hdd_tf.geometry.product_parameters import ProductParameters
from hdd_tf.geometry.spherical import SphericalGeometry


class ProductSummary(NamedTuple):
    """Centroids of c classes in each factor, in float32 or wider.

    Attributes:
        flat: Means of the features.
        hyperbolic: Lorentz centroids of the features times sqrt(-K), at curvature -1.
        spherical: Means of the features times sqrt(K), on the unit sphere.
        log_length: `[c]` mean logarithm of the features' lengths.
    """

    flat: EuclideanSummary
    hyperbolic: HyperbolicSummary
    spherical: EuclideanSummary
    log_length: tf.Tensor


class ProductGeometry:
    """Centroids in three spaces, and lambda times the distance in their product.

    With the distances d_g of a factor's centroids and weights w_g of sum 1, the loss is
    lambda sqrt(sum_g w_g d_g^2).

    Args:
        parameters: Curvatures and weights.
        lift: Name of the map from features to hyperbolic points, one of
            `lorentz.LIFTS`.
        max_tangent_norm: Clamp in the hyperbolic exponential map, 0 for none.
        loss_weight: Lambda, >= 0.

    Attributes:
        learner: The parameters if they learn, else None; see `comparison.Learner`.

    Raises:
        ValueError: an option is out of its range.
    """

    merges = True

    def __init__(
        self,
        parameters: ProductParameters,
        lift: str = "expmap0",
        max_tangent_norm: float = 0.0,
        loss_weight: float = 1.0,
    ) -> None:
        check_loss_weight(loss_weight)
        self._parameters = parameters
        self._flat = UnsquaredGeometry()
        self._hyperbolic = HyperbolicGeometry(-1.0, lift, max_tangent_norm)
        self._spherical = SphericalGeometry()
        self._weight = float(loss_weight)
        self.learner = parameters if parameters.learns else None

    def summarize(
        self, features: tf.Tensor, weights: tf.Tensor | None = None
    ) -> ProductSummary:
        """Returns the centroids of features `[c, n, d]` with weights `[c, n]` >= 0."""
        flat, hyperbolic, spherical = self._scaled(features)
        logs = tf.math.log(tf.maximum(norm(flat)[..., 0], TINY_NORM))
        if weights is None:
            weights = tf.ones_like(logs)
        weights = tf.cast(weights, logs.dtype)
        means = self._flat.summarize(flat, weights)
        total = tf.reduce_sum(weights * logs, axis=-1)
        return ProductSummary(
            means,
            self._hyperbolic.summarize(hyperbolic, weights),
            self._spherical.summarize(spherical, weights),
            tf.math.divide_no_nan(total, means.mass),
        )

    def merge(self, parts: ProductSummary) -> ProductSummary:
        """Returns the centroids of the union of p parts, stacked to `[p, c, ...]`."""
        total = tf.reduce_sum(parts.flat.mass * parts.log_length, axis=0)
        flat = self._flat.merge(parts.flat)
        return ProductSummary(
            flat,
            self._hyperbolic.merge(parts.hyperbolic),
            self._spherical.merge(parts.spherical),
            tf.math.divide_no_nan(total, flat.mass),
        )

    def blend(
        self, first: ProductSummary, second: ProductSummary, share: float | tf.Tensor
    ) -> ProductSummary:
        """Returns the centroids of two points each, of weights 1 - share and share."""
        return ProductSummary(
            self._flat.blend(first.flat, second.flat, share),
            self._hyperbolic.blend(first.hyperbolic, second.hyperbolic, share),
            self._spherical.blend(first.spherical, second.spherical, share),
            (1.0 - share) * first.log_length + share * second.log_length,
        )

    def scatter(self, features: tf.Tensor) -> tf.Tensor:
        """Returns the sum of squared distances `[c]` from the centroid, of `[c, n, d]`.

        Lambda is no factor of it.
        """
        flat, hyperbolic, spherical = self._scaled(features)
        scales = self._parameters.scales(flat.dtype)
        sums = (
            self._flat.scatter(flat),
            self._hyperbolic.scatter(hyperbolic) / tf.square(scales[0]),
            self._spherical.scatter(spherical) / tf.square(scales[1]),
        )
        weights = self._parameters.weights(flat.dtype)
        return tf.reduce_sum(weights * tf.stack(sums, axis=-1), axis=-1)

    def loss(self, real: ProductSummary, synthetic_features: tf.Tensor) -> tf.Tensor:
        """Returns lambda times the distance `[c]` to centroids of `[c, m, d]`."""
        return self.loss_and_facts(real, synthetic_features)[0]

    def loss_and_facts(
        self, real: ProductSummary, synthetic_features: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the `loss` `[c]`, and what the learner has to know, `[c, 4]`."""
        flat, hyperbolic, spherical = self._scaled(synthetic_features)
        scales = self._parameters.scales(flat.dtype)
        distances = tf.stack(
            [
                self._flat.loss(real.flat, flat),
                self._hyperbolic.loss(real.hyperbolic, hyperbolic) / scales[0],
                self._spherical.loss(real.spherical, spherical) / scales[1],
            ],
            axis=-1,
        )
        weights = self._parameters.weights(flat.dtype)
        distance = norm(tf.sqrt(weights) * distances)[..., 0]
        facts = self._parameters.facts(distances, real.log_length)
        return self._weight * distance, facts

    def _scaled(self, features: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns features as the factors of curvature 0, -1 and 1 have them."""
        features = widen(features)
        hyperbolic, spherical = self._parameters.scales(features.dtype)
        return features, hyperbolic * features, spherical * features
