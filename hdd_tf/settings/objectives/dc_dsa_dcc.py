"""Settings of the methods that match gradients in a network that trains on the set."""

import dataclasses
from typing import ClassVar

from hdd_tf.settings import parsers
from hdd_tf.settings.row import setting
from hdd_tf.settings.scope import Scope


@dataclasses.dataclass(frozen=True, kw_only=True)
class GradientMatchingSettings:
    """The life of DC's, DSA's and DCC's networks, and the distance of gradients."""

    HEADING: ClassVar = "Matching of gradients (dc, dsa, dcc)"

    dc_updates: int = setting(
        None,
        parsers.COUNT,
        "Updates of the images in the life of a network. Unset: as published for the "
        "images per class, or for the next larger number of them (dc, dsa: 1 for 1, "
        "10 for 10, 50 for 50; dcc: 10 for 1).",
        Scope.MATCHING,
    )
    dc_epochs: int = setting(
        None,
        parsers.COUNT_OR_ZERO,
        "Epochs that the network trains on the synthetic images between two of these "
        "updates. Unset: as published (50 for 10 images per class, 10 for 50; dcc: 5 "
        "for 1).",
        Scope.MATCHING,
    )
    dc_lr: float = setting(
        0.01,
        parsers.POSITIVE,
        "Learning rate of that training, plain SGD.",
        Scope.MATCHING,
    )
    dc_batch: int = setting(
        256,
        parsers.COUNT,
        "Synthetic images of a batch of that training.",
        Scope.MATCHING,
    )
    dcc_outer_warmup: int = setting(
        250,
        parsers.COUNT_OR_ZERO,
        "Networks in whose life dcc matches class by class; in later ones it matches "
        "one gradient of all classes.",
        Scope.MATCHING,
    )
    dcc_inner_warmup: int = setting(
        10,
        parsers.COUNT_OR_ZERO,
        "Updates at the start of the life of those networks that match class by "
        "class; their later updates match one gradient of all classes.",
        Scope.MATCHING,
    )
    row_radius: float = setting(
        10.0,
        parsers.ROW_RADIUS,
        "Hyperbolic radius at which the gradients of output units are compared: a "
        "small one compares chords, a large one logarithms of angles. For "
        "gradients, --lift and --max_tangent_norm are unused.",
        Scope.MATCHING,
        geometries=("hyperbolic",),
    )
