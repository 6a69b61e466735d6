"""The geometries a run can match in: summaries of features, and losses from them.

The training step needs three things of a geometry: to summarise the real features of
each class, to merge summaries of parts of a class, and the loss of synthetic features
against a summary. A further geometry is one class in a file beside this one and
one line in `GEOMETRIES`.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import tensorflow as tf

from hdd_tf.errors import InputError
from hdd_tf.geometry.euclidean import EuclideanGeometry
from hdd_tf.geometry.hyperbolic import HyperbolicGeometry

Summary = TypeVar("Summary", bound=tuple)


class Geometry(Protocol[Summary]):
    """What the training step asks of a geometry; `c` counts classes.

    A summary is a NamedTuple of tensors with leading dimension c, of float32 or wider.

    Attributes:
        merges: True, for it has `merge`; other discrepancies may have not
            (objectives/features.py).
    """

    merges: bool

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
