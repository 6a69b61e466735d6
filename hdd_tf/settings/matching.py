"""Settings of matching."""

import dataclasses

from hdd_tf.settings import parsers
from hdd_tf.settings.row import choice, setting

OBJECTIVES = ("dm", "idm", "dance")
GEOMETRIES = ("hyperbolic", "euclidean")
LIFTS = ("expmap0", "project")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MatchingSettings:
    """What is matched, and in which geometry."""

    objective: str = choice(
        "dm",
        (*OBJECTIVES, *parsers.CORESETS),
        "What is matched: dm = DM, features of random networks; idm = IDM, of a queue "
        "of semi-trained ones, with cross-entropy; dance = DANCE, of encoders between "
        "an expert's start and end, with calibration by the expert. Or a coreset, real "
        "images chosen without any distillation: random; herding = features whose mean "
        "follows the class's; k_center = features that leave none far from a chosen "
        "one; forgetting = those most often forgotten in training. Settings of "
        "matching and optimisation are unused then.",
    )
    geometry: str = choice(
        "hyperbolic",
        GEOMETRIES,
        "Where it is matched: hyperbolic = geodesic distance of Lorentz centroids "
        "(HDD), euclidean = squared distance of means (the plain objective).",
    )
    curvature: float = setting(
        -1.0,
        parsers.CURVATURE,
        "Sectional curvature K of the hyperboloid; the paper's tables give -1/K, so "
        "their 3 is -1/3 here. Unused in euclidean geometry.",
    )
    loss_weight: float = setting(
        1.0,
        parsers.POSITIVE,
        "Factor lambda of the geodesic distance. Unused in euclidean geometry.",
    )
    lift: str = choice(
        "expmap0",
        LIFTS,
        "From features to the hyperboloid: exponential map at the origin, or "
        "projection along the time axis.",
    )
    max_tangent_norm: float = setting(
        10.0,
        parsers.NOT_NEGATIVE,
        "Clamp on the exponential map's hyperbolic radius r = sqrt(-K)|v|; 10 is what "
        "the published numbers used, 0 means no clamp.",
    )
    dsa: str = setting(
        "color_crop_cutout_flip_scale_rotate",
        parsers.NAME,
        "Siamese augmentations joined by _, one of which is drawn per class and "
        "iteration, and per batch in the evaluation; none = no augmentation.",
    )

    formation_factor: int = setting(
        None,
        parsers.COUNT,
        "A stored image is a grid of factor x factor training images (IDM's partition, "
        "DANCE's multi-formation). Unset: 1 with dm, 2 with idm and dance.",
    )
