"""Settings of matching."""

import dataclasses
from typing import ClassVar

from hdd_tf.methods.registry import METHODS
from hdd_tf.settings import parsers
from hdd_tf.settings.row import choice, setting, unset
from hdd_tf.settings.scope import Scope

# What titles say of a geometry, behind the name of the method.
GEOMETRIES = {
    "hyperbolic": "+HDD",
    "euclidean": "",
    "euclidean_unsquared": " unsquared",
    "root_weighted": " root-weighted",
    "product": " in a product",
}
# Those that lift features, and those whose loss has the factor lambda.
_LIFTED = ("hyperbolic", "root_weighted", "product")
_WEIGHTED = (*_LIFTED, "euclidean_unsquared")
MAPS = ("last", "blocks", "block_means")
LIFTS = ("expmap0", "project")


def _matched() -> str:
    return "; ".join(
        f"{name} = {traits.title}, {traits.summary}"
        for name, traits in METHODS.items()
        if not traits.is_selection
    )


def _made_at_once() -> str:
    return "; ".join(
        f"{name} = {traits.title}, {traits.summary}"
        for name, traits in METHODS.items()
        if traits.is_selection and not traits.is_coreset
    )


def _chosen() -> str:
    return "; ".join(
        f"{name} = {traits.summary}"
        for name, traits in METHODS.items()
        if traits.is_coreset
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class MatchingSettings:
    """What is matched, and in which geometry."""

    HEADING: ClassVar = "Matching"

    objective: str = setting(
        "dm",
        parsers.METHOD,
        f"What is matched: {_matched()}. Or what is made at once, without matching: "
        f"{_made_at_once()}. Or a coreset, real images chosen without any "
        f"distillation: {_chosen()}. Settings of matching and optimisation are unused "
        "then.",
        Scope.MATCHING,
        is_cell=True,
    )
    geometry: str = choice(
        "hyperbolic",
        tuple(GEOMETRIES),
        "Where it is matched: hyperbolic = geodesic distance of Lorentz centroids "
        "(HDD), euclidean = squared distance of means (the plain objective), "
        "euclidean_unsquared = their distance times lambda, root_weighted = geodesic "
        "distance of centroids that lean to the root (--root_power), product = "
        "distance in Euclidean x hyperbolic x spherical space, whose curvatures and "
        "weights are learnt.",
        Scope.MATCHING,
        is_cell=True,
    )
    curvature: float = setting(
        -1.0,
        parsers.CURVATURE,
        "Sectional curvature K of the hyperboloid; the paper's tables give -1/K, so "
        "their 3 is -1/3 here. Unused in Euclidean geometry.",
        Scope.MATCHING,
        geometries=_LIFTED,
    )
    loss_weight: float = setting(
        1.0,
        parsers.POSITIVE,
        "Factor lambda of the distance. Unused with --geometry=euclidean.",
        Scope.MATCHING,
        geometries=_WEIGHTED,
        is_unbanked=True,
    )
    lift: str = choice(
        "expmap0",
        LIFTS,
        "From features to the hyperboloid: exponential map at the origin, or "
        "projection along the time axis.",
        Scope.MATCHING,
        geometries=_LIFTED,
    )
    max_tangent_norm: float = setting(
        10.0,
        parsers.NOT_NEGATIVE,
        "Clamp on the exponential map's hyperbolic radius r = sqrt(-K)|v|; 10 is what "
        "the published numbers used, 0 means no clamp.",
        Scope.MATCHING,
        geometries=_LIFTED,
    )
    matched_maps: str = choice(
        "last",
        MAPS,
        "Maps of the network whose centroids dm, idm and dance match: last = the "
        "features, blocks = the pooled maps of every block, each by itself, with the "
        "distances added, block_means = the means of these maps over the positions.",
        Scope.MATCHING,
    )
    dsa: str = setting(
        None,
        parsers.DSA,
        "Siamese augmentations joined by _, one of which is drawn per class and "
        "iteration, and per batch in the evaluation; none = no augmentation. "
        f"{unset('dsa')}",
        Scope.SHARED,
    )
    zca: bool = setting(
        None,
        parsers.SWITCH,
        "Whiten images by the covariance of the training split (ZCA) instead of "
        f"normalising channels. {unset('whitened')}",
        Scope.SHARED,
    )
    formation_factor: int = setting(
        None,
        parsers.FEW,
        "A stored image is a grid of factor x factor training images (IDM's partition, "
        f"DANCE's multi-formation). {unset('formation_factor')}",
        Scope.MATCHING,
        is_unbanked=True,
    )
    iterations_per_network: int = setting(
        1,
        parsers.ITERATIONS,
        "Iterations that each fresh random network of dm, m3d or datadam is used for.",
        Scope.MATCHING,
        is_of_iterations=True,
    )


def geometry_title(geometry: str) -> str:
    """Returns what titles say of a geometry, behind the name of the method.

    Args:
        geometry: Name of a geometry, `none`, or one that this version does not know.
    """
    if geometry == "none":
        return ""
    return GEOMETRIES.get(geometry, f" ({geometry})")
