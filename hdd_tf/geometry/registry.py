"""The geometries a run can match in: summaries of features, and losses from them.

The training step needs three things of a geometry: to summarise the real features of
each class, to merge summaries of parts of a class, and the loss of synthetic features
against a summary. A further geometry is one class here and one line in `GEOMETRIES`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar

import tensorflow as tf

from hdd_tf.errors import InputError
from hdd_tf.geometry import lorentz
from hdd_tf.geometry.layers import LorentzCentroid, LorentzLift, widen
from hdd_tf.geometry.losses import GeodesicCentroidLoss, MeanFeatureLoss

Summary = TypeVar("Summary", bound=tuple)


class Geometry(Protocol[Summary]):
    """What the training step asks of a geometry; `c` counts classes.

    A summary is a NamedTuple of tensors with leading dimension c, of float32 or wider.
    """

    def summarize(
        self, features: tf.Tensor, weights: tf.Tensor | None = None
    ) -> Summary:
        """Summarises features `[c, n, d]`, optionally with weights `[c, n]` >= 0."""

    def merge(self, parts: Summary) -> Summary:
        """Merges summaries of parts of the same classes, stacked to `[p, c, ...]`.

        Parts without any weight are ignored.
        """

    def loss(self, real: Summary, synthetic_features: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each class `[c]`; `real` gets no gradient."""


class HyperbolicSummary(NamedTuple):
    """Centroid of each class and the logarithm of the mass it stands for."""

    klein: tf.Tensor
    log_gamma: tf.Tensor
    log_mass: tf.Tensor


class EuclideanSummary(NamedTuple):
    """Mean feature `[c, d]` of each class and the sum of its weights `[c]`."""

    mean: tf.Tensor
    mass: tf.Tensor


class HyperbolicGeometry:
    """Lorentz centroids, and lambda times the geodesic distance between them."""

    def __init__(
        self,
        curvature: float,
        lift: str = "expmap0",
        max_tangent_norm: float = 0.0,
        loss_weight: float = 1.0,
    ) -> None:
        self._lift = LorentzLift(curvature, lift, max_tangent_norm)
        self._centroid = LorentzCentroid(return_mass=True)
        self._loss = GeodesicCentroidLoss(
            curvature, lift, max_tangent_norm, loss_weight
        )

    def summarize(
        self, features: tf.Tensor, weights: tf.Tensor | None = None
    ) -> HyperbolicSummary:
        """Returns the weighted centroids of features `[c, n, d]`."""
        return HyperbolicSummary(*self._centroid(self._lift(features), weights))

    def merge(self, parts: HyperbolicSummary) -> HyperbolicSummary:
        """Returns the centroids of the parts `[p, c, ...]` together."""
        return HyperbolicSummary(*lorentz.merge_centroids(*parts))

    def loss(self, real: HyperbolicSummary, synthetic_features: tf.Tensor) -> tf.Tensor:
        """Returns lambda times the distance of the centroids, `[c]`."""
        # Not `__call__`, which would cast float64 features to float32.
        return self._loss.call((real.klein, real.log_gamma), synthetic_features)


class EuclideanGeometry:
    """Means, and the squared distance between them: plain distribution matching."""

    def __init__(self) -> None:
        self._loss = MeanFeatureLoss()

    def summarize(
        self, features: tf.Tensor, weights: tf.Tensor | None = None
    ) -> EuclideanSummary:
        """Returns the weighted means of features `[c, n, d]`."""
        features = widen(features)
        if weights is None:
            weights = tf.ones_like(features[..., 0])
        weights = tf.cast(weights, features.dtype)
        total = tf.matmul(weights[..., None, :], features)[..., 0, :]
        mass = tf.reduce_sum(weights, axis=-1)
        return EuclideanSummary(tf.math.divide_no_nan(total, mass[..., None]), mass)

    def merge(self, parts: EuclideanSummary) -> EuclideanSummary:
        """Returns the means of the parts `[p, c, ...]` together."""
        total = tf.reduce_sum(parts.mass[..., None] * parts.mean, axis=0)
        mass = tf.reduce_sum(parts.mass, axis=0)
        return EuclideanSummary(tf.math.divide_no_nan(total, mass[..., None]), mass)

    def loss(self, real: EuclideanSummary, synthetic_features: tf.Tensor) -> tf.Tensor:
        """Returns the squared distance of the means, `[c]`."""
        return self._loss.call(real.mean, synthetic_features)


# Builders take the run's `Config`. Lambda is a parameter of the hyperbolic loss only.
GEOMETRIES: dict[str, Callable[[Any], Geometry[Any]]] = {
    "hyperbolic": lambda config: HyperbolicGeometry(
        config.curvature, config.lift, config.max_tangent_norm, config.loss_weight
    ),
    "euclidean": lambda config: EuclideanGeometry(),
}


def build_geometry(config: Any) -> Geometry[Any]:
    """Builds the geometry a configuration asks for.

    Args:
        config: Anything with `geometry`, `curvature`, `lift`, `max_tangent_norm` and
            `loss_weight`.

    Raises:
        InputError: If the name is unknown or an option is out of its range.
    """
    if config.geometry not in GEOMETRIES:
        raise InputError(
            f"--geometry={config.geometry} is unknown; use one of: "
            f"{', '.join(sorted(GEOMETRIES))}."
        )
    try:
        return GEOMETRIES[config.geometry](config)
    except ValueError as error:
        raise InputError(str(error)) from error
