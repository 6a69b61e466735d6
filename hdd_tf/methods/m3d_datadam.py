"""The traits of M3D and DataDAM, which match more than the means of features.

Sources of the published values:
    Zhang et al., "M3D: Dataset Condensation by Minimizing Maximum Mean Discrepancy",
    AAAI 2024, arXiv 2312.15927: accuracies, whose standard deviations our source
    lacks. Rates, batches, iterations and epochs of CIFAR are inferred: the program's
    files of these cells were not released.
    Sajedi et al., "DataDAM: Efficient Dataset Distillation with Attention Matching",
    ICCV 2023, arXiv 2310.00093: accuracies. Iterations, batch and epochs are those of
    its program (DataDistillation/DataDAM at 0f6ea09).
"""

from hdd_tf.methods.dm_idm_dance import CIFAR10_FOR_BOTH
from hdd_tf.methods.traits import (
    FULL_DSA,
    PLAIN_AND_HYPERBOLIC,
    Budget,
    Encoder,
    Kind,
    Traits,
)


def _m3d_budget(dataset: str, ipc: int, geometry: str) -> Budget:
    return Budget(10_000, 128, 1500, None, None)


def _datadam_budget(dataset: str, ipc: int, geometry: str) -> Budget:
    return Budget(20_000, 64, 1801, None, None)


M3D = Traits(
    title="M3D",
    summary="all pairs of features of random networks, by a kernel",
    kind=Kind.CLASS_WISE,
    draws_own_classes=True,
    build="hdd_tf.objectives.m3d:build",
    own_settings=("m3d_", "dance_max_decoded", "iterations_per_network"),
    has_geometry=True,
    geometries=PLAIN_AND_HYPERBOLIC,
    formation_factor=2,
    unit_range=True,
    update_per_class=True,
    settings={
        "image_lr": 1.0,
        "iterations": 10_000,
        "real_batch": 128,
        "init": "mix",
        "dsa": "color_crop_cutout",
    },
    # An entry of the bank would hold every feature, not one centroid of each class.
    may_revisit=False,
    evaluation="dance",
    encoder=Encoder.TRAINED,
    normalised_as=CIFAR10_FOR_BOTH,
    whitened=False,
    plain_image_lr=lambda dataset, ipc: float(ipc),
    published={
        "euclidean": {
            "cifar10": ((45.3, None), (63.5, None), (69.9, None)),
            "cifar100": ((26.2, None), (42.4, None), (50.9, None)),
        },
    },
    budget=_m3d_budget,
)

DATADAM = Traits(
    title="DataDAM",
    summary="attention maps and features of random networks",
    kind=Kind.CLASS_WISE,
    draws_own_classes=True,
    build="hdd_tf.objectives.datadam:build",
    own_settings=("datadam_", "iterations_per_network"),
    has_geometry=True,
    geometries=PLAIN_AND_HYPERBOLIC,
    formation_factor=1,
    unit_range=False,
    update_per_class=False,
    settings={
        "image_lr": 1.0,
        "iterations": 20_000,
        "real_batch": 64,
        "init": "real",
        "dsa": FULL_DSA,
    },
    may_revisit=True,
    evaluation="dm",
    encoder=Encoder.TRAINED,
    normalised_as={},
    whitened=False,
    plain_image_lr=lambda dataset, ipc: 1.0 if ipc <= 50 else 10.0,
    published={
        "euclidean": {
            "cifar10": ((32.0, 1.2), (54.2, 0.8), (67.0, 0.4)),
            "cifar100": ((14.5, 0.5), (34.8, 0.5), (49.4, 0.3)),
        },
    },
    published_network="convnet_batch",
    budget=_datadam_budget,
)
