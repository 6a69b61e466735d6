"""The traits of MTT and DATM, which match training trajectories.

Sources of the published values:
    Cazenavette et al., "Dataset Distillation by Matching Training Trajectories", CVPR
    2022: MTT. Its table gives the best of all evaluations on the test split.
    Guo et al., "Towards Lossless Dataset Distillation via Difficulty-Aligned Trajectory
    Matching", ICLR 2024: DATM, of the set that is best on the test split.
"""

from typing import Any

from hdd_tf.methods.dm_idm_dance import CIFAR10_FOR_BOTH
from hdd_tf.methods.traits import (
    FULL_DSA,
    PLAIN_AND_HYPERBOLIC,
    Budget,
    Encoder,
    Kind,
    PublishedAs,
    Traits,
)

# No iteration draws real images, so that `real_batch` has no meaning here.
_SETTINGS = {"real_batch": 256, "init": "real", "dsa": FULL_DSA}


def _mtt_image_lr(dataset: str, ipc: int) -> float:
    if dataset == "tiny_imagenet":
        return 10_000.0
    return 100.0 if dataset == "cifar10" and ipc < 50 else 1000.0


def _datm_image_lr(dataset: str, ipc: int) -> float:
    return 100.0 if dataset == "cifar10" and ipc < 50 else 1000.0


def _traits(experts: str, **own: Any) -> Traits:
    shelf = f"hdd_tf.objectives.trajectories.experts:{experts}"
    return Traits(
        kind=Kind.WHOLE_SET,
        has_geometry=True,
        geometries=PLAIN_AND_HYPERBOLIC,
        formation_factor=1,
        unit_range=False,
        update_per_class=False,
        # The set is seen by students, and by no network that sees real images too.
        may_revisit=False,
        encoder=Encoder.EXPERT,
        encoder_source=shelf,
        ahead_source=shelf,
        normalised_as=CIFAR10_FOR_BOTH,
        **own,
    )


MTT = _traits(
    "plain_shelf",
    title="MTT",
    summary="end points of short trainings on the set and of experts' trainings",
    build="hdd_tf.objectives.trajectories.mtt:build",
    own_settings=("trajectory_", "student_"),
    settings={**_SETTINGS, "image_lr": 100.0, "iterations": 5000},
    evaluation="mtt",
    published_as=PublishedAs.BEST_ON_TEST,
    whitened=False,
    plain_image_lr=_mtt_image_lr,
    published={
        "euclidean": {
            "cifar10": ((46.3, 0.8), (65.3, 0.7), (71.6, 0.2)),
            "cifar100": ((24.3, 0.3), (40.1, 0.4), (47.7, 0.2)),
            "tiny_imagenet": ((8.8, 0.3), (23.2, 0.2), (28.0, 0.3)),
        },
    },
    budget=lambda dataset, ipc, geometry: Budget(5000, 256, 1001, None, 5),
)

DATM = _traits(
    "flat_shelf",
    title="DATM",
    summary="as mtt, with learnt soft labels, and later epochs for larger sets",
    build="hdd_tf.objectives.trajectories.datm:build",
    own_settings=("trajectory_", "student_", "label_"),
    settings={**_SETTINGS, "image_lr": 100.0, "iterations": 10_000},
    evaluation="datm",
    carries=frozenset({"stored"}),
    published_as=PublishedAs.SOFT_LABELS | PublishedAs.BEST_ON_TEST,
    whitened=True,
    plain_image_lr=_datm_image_lr,
    published={
        "euclidean": {
            "cifar10": ((46.9, 0.5), (66.8, 0.2), (76.1, 0.3)),
            "cifar100": ((27.9, 0.2), (47.2, 0.4), (55.0, 0.2)),
        },
    },
    budget=lambda dataset, ipc, geometry: Budget(10_000, 256, 1001, None, 5),
)
