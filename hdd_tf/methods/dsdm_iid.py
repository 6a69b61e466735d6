"""The traits of DSDM and IID, which also match covariances.

Sources of the published values:
    Li et al., "Diversified Semantic Distribution Matching for Dataset Distillation",
    ACM Multimedia 2024: DSDM; rates, batches, iterations and the evaluation are those
    of its program's commands and defaults.
    Deng et al., "Exploiting Inter-sample and Inter-feature Relations in Dataset
    Distillation", CVPR 2024: IID; what its program says of one cell, and otherwise what
    IDM's programs say.
The standard deviations are missing: our source has the means alone.
"""

from hdd_tf.methods.dm_idm_dance import CIFAR10_FOR_BOTH, DM_SETTINGS
from hdd_tf.methods.traits import (
    PLAIN_AND_HYPERBOLIC,
    Budget,
    Encoder,
    Kind,
    Traits,
)


def _dsdm_budget(dataset: str, ipc: int, geometry: str) -> Budget:
    return Budget(10_000, 256, 1500, None, None)


def _iid_budget(dataset: str, ipc: int, geometry: str) -> Budget:
    # As IDM's: whole classes of CIFAR with one image per class.
    return Budget(20_000, 5000 if ipc == 1 else 256, 1001, None, 5)


DSDM = Traits(
    title="DSDM",
    summary="means, covariances and remembered prototypes in trained networks",
    kind=Kind.CLASS_WISE,
    draws_own_classes=True,
    build="hdd_tf.objectives.dsdm:build",
    own_settings=("dsdm_",),
    has_geometry=True,
    geometries=PLAIN_AND_HYPERBOLIC,
    formation_factor=2,
    unit_range=True,
    update_per_class=True,
    settings={
        "image_lr": 0.1,
        "iterations": 10_000,
        "real_batch": 256,
        "init": "mix",
        "dsa": "color_crop_cutout",
    },
    # An entry of the bank would hold every feature, not one centroid of each class.
    may_revisit=False,
    evaluation="dance",
    encoder=Encoder.EXPERT,
    encoder_source="hdd_tf.objectives.dsdm:network_shelf",
    ahead_source="hdd_tf.objectives.dsdm:network_shelf",
    normalised_as=CIFAR10_FOR_BOTH,
    whitened=False,
    plain_image_lr=lambda dataset, ipc: ipc / 100,
    published={
        "euclidean": {
            "cifar10": ((45.0, None), (66.5, None), (75.8, None)),
            "cifar100": ((19.5, None), (46.2, None), (54.0, None)),
        },
    },
    budget=_dsdm_budget,
)

IID = Traits(
    title="IID",
    summary="as idm, with covariances of channels, and images near their centre in "
    "trained networks",
    kind=Kind.CLASS_WISE,
    build="hdd_tf.objectives.iid:build",
    own_settings=("idm_", "iid_"),
    has_geometry=True,
    geometries=PLAIN_AND_HYPERBOLIC,
    formation_factor=2,
    unit_range=False,
    update_per_class=True,
    settings={**DM_SETTINGS, "image_lr": 0.2},
    may_revisit=False,
    evaluation="dm",
    encoder=Encoder.POOL,
    encoder_source="hdd_tf.objectives.idm:pool_schedule",
    ahead_source="hdd_tf.objectives.iid:network_shelf",
    normalised_as=CIFAR10_FOR_BOTH,
    whitened=False,
    plain_image_lr=lambda dataset, ipc: 0.2,
    published={
        "euclidean": {
            "cifar10": ((47.1, None), (59.9, None), (69.0, None)),
            "cifar100": ((24.6, None), (45.7, None), (51.3, None)),
        },
    },
    budget=_iid_budget,
)
