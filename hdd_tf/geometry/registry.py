"""The geometries that a run can match in: summaries of features, and their losses.

A geometry summarises the real features of each class, merges summaries of parts of a
class, and computes the loss of synthetic features against a summary. A new geometry is
a class in a module of this package and an entry in `GEOMETRIES`.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import tensorflow as tf

from hdd_tf.errors import InputError
from hdd_tf.geometry.euclidean import EuclideanGeometry, UnsquaredGeometry
from hdd_tf.geometry.hyperbolic import HyperbolicGeometry
from hdd_tf.geometry.product import ProductGeometry
from hdd_tf.geometry.product_parameters import ProductParameters
from hdd_tf.geometry.root_weighted import RootWeightedGeometry

Summary = TypeVar("Summary", bound=tuple)


class Geometry(Protocol[Summary]):
    """The interface of a geometry; c is the number of classes.

    A summary is a NamedTuple of tensors with leading dimension c, of float32 or wider.

    Attributes:
        merges: True, because a geometry has `merge`; other discrepancies
            (objectives/features.py) may not have it.
    """

    merges: bool

    def summarize(
        self, features: tf.Tensor, weights: tf.Tensor | None = None
    ) -> Summary:
        """Returns the summary of features `[c, n, d]`.

        Args:
            features: `[c, n, d]` features of n images of each class.
            weights: `[c, n]` weights >= 0; None for weights of 1.
        """

    def merge(self, parts: Summary) -> Summary:
        """Merges summaries of p parts of the same classes, stacked to `[p, c, ...]`.

        Parts of total weight 0 are ignored.
        """

    def blend(
        self, first: Summary, second: Summary, share: float | tf.Tensor
    ) -> Summary:
        """Returns the centroids of pairs of centroids, whatever their masses are.

        Args:
            first: Summary of c classes, of weight 1 - `share`.
            second: Summary of c classes, of weight `share`.
            share: Number in [0, 1].
        """

    def scatter(self, features: tf.Tensor) -> tf.Tensor:
        """Returns the sum of the features' squared distances from their centroid.

        Args:
            features: `[c, n, d]` features of n images of each class.

        Returns:
            `[c]` sums.
        """

    def loss(self, real: Summary, synthetic_features: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each class.

        Args:
            real: Summary of the real features; no gradient flows to it.
            synthetic_features: `[c, m, d]` features of m images of each class.

        Returns:
            `[c]` losses.
        """


# (`Config` of the run) -> geometry. All losses but the plain one have a factor lambda.
GEOMETRIES: dict[str, Callable[[Any], Geometry[Any]]] = {
    "hyperbolic": lambda config: HyperbolicGeometry(
        config.curvature, config.lift, config.max_tangent_norm, config.loss_weight
    ),
    "euclidean": lambda config: EuclideanGeometry(),
    "euclidean_unsquared": lambda config: UnsquaredGeometry(config.loss_weight),
    "product": lambda config: ProductGeometry(
        ProductParameters(
            config.curvature,
            config.spherical_curvature,
            config.product_radius,
            config.product_curvature_lr,
            config.product_weight_lr,
        ),
        config.lift,
        config.max_tangent_norm,
        config.loss_weight,
    ),
    "root_weighted": lambda config: RootWeightedGeometry(
        config.curvature,
        config.root_power,
        config.lift,
        config.max_tangent_norm,
        config.loss_weight,
    ),
}


def build_geometry(config: Any) -> Geometry[Any]:
    """Builds the geometry of a run's settings.

    Args:
        config: Settings, of which `geometry` and those of the geometry are used.

    Raises:
        InputError: the name is unknown, or an option is out of its range.
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
