"""Settings of DSDM and IID: trained networks, covariances, prototypes."""

import dataclasses
from typing import ClassVar

from hdd_tf.settings import parsers
from hdd_tf.settings.networks import NETWORKS
from hdd_tf.settings.row import choice, setting
from hdd_tf.settings.scope import Scope


@dataclasses.dataclass(frozen=True, kw_only=True)
class DsdmSettings:
    """Constants of DSDM."""

    HEADING: ClassVar = "DSDM's networks, covariances and prototypes"

    dsdm_networks: int = setting(
        10,
        parsers.COUNT,
        "Networks that DSDM trains on the real images beforehand; kept in "
        "--expert_dir.",
        Scope.MATCHING,
    )
    dsdm_epochs: int = setting(
        20,
        parsers.COUNT,
        "Epochs each of them trains.",
        Scope.MATCHING,
    )
    dsdm_batch: int = setting(
        256,
        parsers.COUNT,
        "Images per training batch of these networks.",
        Scope.MATCHING,
    )
    dsdm_max_decoded: int = setting(
        256,
        parsers.COUNT_OR_ZERO,
        "Most synthetic images of a class, after --formation_factor, that DSDM "
        "matches in one iteration; beyond, a random part of them. 0: all.",
        Scope.MATCHING,
    )
    dsdm_covariance_weight: float = setting(
        50.0,
        parsers.NOT_NEGATIVE,
        "Factor of the covariances, divided by the number of features.",
        Scope.MATCHING,
    )
    dsdm_prototype_weight: float = setting(
        0.2,
        parsers.NOT_NEGATIVE,
        "Factor of the distance from the prototypes, divided by the number of "
        "features.",
        Scope.MATCHING,
    )
    dsdm_prototype_memory: float = setting(
        0.99,
        parsers.PART,
        "Share of the old prototype in the next one.",
        Scope.MATCHING,
    )
    dsdm_prototype_after: int = setting(
        2000,
        parsers.COUNT_OR_ZERO,
        "Last iteration in which the prototypes do not count yet.",
        Scope.MATCHING,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class IidSettings:
    """Constants of IID, whose pool of networks is IDM's."""

    HEADING: ClassVar = "IID's covariances and trained networks"

    iid_covariance_weight: float = setting(
        0.03,
        parsers.NOT_NEGATIVE,
        "Factor of the covariances of channels. 0: without them.",
        Scope.MATCHING,
    )
    iid_centre_weight: float = setting(
        0.01,
        parsers.NOT_NEGATIVE,
        "Factor of the synthetic images' squared distances from the centre of their "
        "class, in the trained networks. 0: without such networks.",
        Scope.MATCHING,
    )
    iid_network: str = choice(
        "resnet18",
        NETWORKS,
        "Architecture of the trained networks, with instance norm (a name ending in "
        "_batch has batch norm).",
        Scope.MATCHING,
    )
    iid_networks: int = setting(
        10,
        parsers.COUNT,
        "Networks that IID trains on the real images beforehand, published: 1000; "
        "kept in --expert_dir.",
        Scope.MATCHING,
    )
    iid_epochs: int = setting(
        40,
        parsers.COUNT,
        "Epochs each of them trains.",
        Scope.MATCHING,
    )
    iid_batch: int = setting(
        256,
        parsers.COUNT,
        "Images per training batch of these networks.",
        Scope.MATCHING,
    )
    iid_curvature: float = setting(
        -1.0,
        parsers.CURVATURE,
        "Curvature K of the hyperboloid of these networks' features. Unused in "
        "euclidean geometry.",
        Scope.MATCHING,
        geometries=("hyperbolic",),
    )
