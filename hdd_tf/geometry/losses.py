"""The two feature losses of distribution matching, one value per class.

Both losses take features of the real and of the synthetic images of C classes, and no
gradient flows to the real features. By default they return `[C]` unreduced values,
because Keras' usual mean over the batch would silently divide the sum over classes by
C. Features of float64 need `dtype="float64"` (or a `floatx` of that in Keras); without
it Keras casts them to float32. A `floatx` of 16 bits counts as float32.
"""

import math
from typing import Any

import keras
import tensorflow as tf

from hdd_tf.geometry import centroids, lorentz
from hdd_tf.geometry.layers import widen, widen_point


def check_loss_weight(loss_weight: float) -> None:
    """Raises ValueError if a weight lambda is negative or not finite."""
    if not 0 <= loss_weight < math.inf:
        raise ValueError(
            f"`loss_weight` must be finite and not negative. Received: {loss_weight}."
        )


class _MatchingLoss(keras.losses.Loss):
    """Base of both losses: the weight lambda, and its check."""

    def __init__(
        self, loss_weight: float, dtype: str | None = None, **kwargs: Any
    ) -> None:
        # Keras takes its `floatx`, and would round the features to one of 16 bits.
        wide = "float64" if keras.config.floatx() == "float64" else "float32"
        super().__init__(dtype=dtype or wide, **kwargs)
        check_loss_weight(loss_weight)
        self.loss_weight = float(loss_weight)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config()
        return {**config, "dtype": self.dtype, "loss_weight": self.loss_weight}


def _check_shapes(real: tf.Tensor, synthetic: tf.Tensor) -> None:
    """Raises ValueError if real `[C, d]` and synthetic `[C, m, d]` cannot match."""
    fits = (
        real.shape.rank == 2
        and synthetic.shape.rank == 3
        and real.shape.is_compatible_with([synthetic.shape[0], synthetic.shape[2]])
    )
    if not fits:
        raise ValueError(
            "`y_pred` must be [classes, images, features], and `y_true` the same or "
            "one centre [classes, features] per class. Received: centres of shape "
            f"{real.shape} and `y_pred` of shape {synthetic.shape}."
        )


@keras.saving.register_keras_serializable(package="hdd_tf")
class GeodesicCentroidLoss(_MatchingLoss):
    """lambda d(real centroid, synthetic centroid) in hyperbolic space, per class.

    `y_true` are real features `[C, n, d]`, or precomputed centroids, the pair
    `(klein [C, d], log_gamma [C])`. `y_pred` are synthetic features `[C, m, d]`.

    Args:
        curvature: K < 0.
        lift: Name of the map from features to points, one of `lorentz.LIFTS`.
        max_tangent_norm: Clamp in the exponential map, 0 for none; the published
            results have 10.
        loss_weight: Lambda, >= 0.
        reduction: Reduction of `keras.losses.Loss`; `"none"` gives `[C]`.
        name: Name of the loss.
        dtype: Dtype of `keras.losses.Loss`; the geometry is computed in float32 or
            float64.

    Raises:
        ValueError: an option is out of its range; the message shows its value.

    Example:
        >>> real, synthetic = tf.fill([3, 8, 1], 1.5), tf.fill([3, 2, 1], 1.0)
        >>> loss = GeodesicCentroidLoss(loss_weight=10.0)
        >>> print(loss(real, synthetic).numpy().round(4))
        [5. 5. 5.]

    Source: Li et al., "Hyperbolic Dataset Distillation", 2025.
    """

    def __init__(
        self,
        curvature: float = -1.0,
        lift: str = "expmap0",
        max_tangent_norm: float = 0.0,
        loss_weight: float = 1.0,
        reduction: str | None = "none",
        name: str = "geodesic_centroid_loss",
        dtype: str | None = None,
    ) -> None:
        super().__init__(loss_weight, reduction=reduction, name=name, dtype=dtype)
        lorentz.check_options(curvature, lift, max_tangent_norm)
        self.curvature = float(curvature)
        self.lift = lift
        self.max_tangent_norm = float(max_tangent_norm)

    def call(self, y_true: tf.Tensor | lorentz.Point, y_pred: tf.Tensor) -> tf.Tensor:
        """Returns the weighted distances `[C]`."""
        real = tf.nest.map_structure(tf.stop_gradient, y_true)
        if isinstance(real, (tuple, list)):
            klein, log_gamma = widen_point(real, "`y_true`", self.dtype)
        else:
            klein, log_gamma = self._centroid(real)
        _check_shapes(klein, y_pred)
        distance = lorentz.geodesic_distance(
            (klein, log_gamma), self._centroid(y_pred), self.curvature
        )
        return self.loss_weight * distance

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "curvature": self.curvature,
            "lift": self.lift,
            "max_tangent_norm": self.max_tangent_norm,
        }

    def _centroid(self, features: tf.Tensor) -> lorentz.Point:
        features = widen(features, self.dtype)
        return centroids.centroid(
            *lorentz.lift(features, self.curvature, self.lift, self.max_tangent_norm)
        )


@keras.saving.register_keras_serializable(package="hdd_tf")
class MeanFeatureLoss(_MatchingLoss):
    """lambda |mean of real - mean of synthetic features|^2, per class.

    `y_true` are real features `[C, n, d]` or their means `[C, d]`; `y_pred` are
    synthetic features `[C, m, d]`.

    Args:
        loss_weight: Lambda, >= 0; the Euclidean baselines have 1.
        reduction: Reduction of `keras.losses.Loss`; `"none"` gives `[C]`.
        name: Name of the loss.
        dtype: Dtype of `keras.losses.Loss`; means are computed in float32 or float64.

    Raises:
        ValueError: `loss_weight` is out of its range; the message shows its value.

    Example:
        >>> real, synthetic = tf.fill([3, 8, 2], 1.5), tf.fill([3, 2, 2], 1.0)
        >>> print(MeanFeatureLoss()(real, synthetic).numpy())
        [0.5 0.5 0.5]

    Source: Zhao and Bilen, "Dataset Condensation with Distribution Matching", 2023.
    """

    def __init__(
        self,
        loss_weight: float = 1.0,
        reduction: str | None = "none",
        name: str = "mean_feature_loss",
        dtype: str | None = None,
    ) -> None:
        super().__init__(loss_weight, reduction=reduction, name=name, dtype=dtype)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Returns the weighted squared distances `[C]`."""
        real = tf.stop_gradient(widen(y_true, self.dtype))
        if real.shape.rank == 3:
            real = tf.reduce_mean(real, axis=1)
        _check_shapes(real, y_pred)
        synthetic = tf.reduce_mean(widen(y_pred, self.dtype), axis=1)
        difference = tf.math.squared_difference(real, synthetic)
        return self.loss_weight * tf.reduce_sum(difference, axis=-1)
