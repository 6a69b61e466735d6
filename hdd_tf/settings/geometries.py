"""Settings of single geometries."""

import dataclasses
from typing import ClassVar

from hdd_tf.settings import parsers
from hdd_tf.settings.row import setting
from hdd_tf.settings.scope import Scope


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeometrySettings:
    """What some geometries have beside curvature, lift and clamp."""

    HEADING: ClassVar = "Geometries of our own"

    root_power: float = setting(
        -1.0,
        parsers.ROOT_POWER,
        "Power b of the weights cosh(r)^b of --geometry=root_weighted; the Lorentz "
        "centroid has 1. Give --curvature such that radii r = sqrt(-K)|v| are about 1 "
        "to 2: far below and at the clamp all weights are equal.",
        Scope.MATCHING,
        geometries=("root_weighted",),
    )
    spherical_curvature: float = setting(
        1.0,
        parsers.SPHERICAL,
        "Curvature of the spherical factor of --geometry=product at first, K > 0; that "
        "of the hyperbolic factor is --curvature.",
        Scope.MATCHING,
        geometries=("product",),
    )
    product_radius: float = setting(
        1.0,
        parsers.PRODUCT_RADIUS,
        "Radius sqrt(|K|)|v| of real features that both curvatures of "
        "--geometry=product are learnt for: that of their geometric mean length.",
        Scope.MATCHING,
        geometries=("product",),
    )
    product_curvature_lr: float = setting(
        0.1,
        parsers.SHARE,
        "Rate at which curvatures of --geometry=product are learnt, the share of the "
        "way in log sqrt(|K|) of an iteration; 0 keeps them, as a bank needs it.",
        Scope.MATCHING,
        geometries=("product",),
    )
    product_weight_lr: float = setting(
        0.1,
        parsers.SHARE,
        "Rate at which the weights of the factors of --geometry=product are learnt, "
        "towards equal shares of the squared distance; 0 keeps them a third each.",
        Scope.MATCHING,
        geometries=("product",),
        is_unbanked=True,
    )
