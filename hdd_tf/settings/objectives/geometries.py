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
