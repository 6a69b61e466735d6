"""The traits of DC, DSA and DCC, which match gradients of weights.

Sources of the published values:
    Zhao et al., "Dataset Condensation with Gradient Matching", ICLR 2021, arXiv
    2006.05929: DC. Zhao and Bilen, "Dataset Condensation with Differentiable Siamese
    Augmentation", ICML 2021, arXiv 2102.08259: DSA. Settings and evaluation are those
    of their released program (VICO-UoE/DatasetCondensation, commit 53f63a6), and the
    accuracies those of the table in its README; 42.8 of DSA on CIFAR-100 at 50 images
    per class is missing there and stands in later papers.
    Lee et al., "Dataset Condensation with Contrastive Signals", ICML 2022, arXiv
    2202.02916: DCC, with its released program (Saehyung-Lee/DCC, commit 5073a44). Which
    of its variants the accuracies are of is inferred: without augmentation on SVHN, and
    with it (DSAC) on CIFAR.
Deviations are not known here. All sets are scored with 20 networks on each of 5 sets.
"""

import dataclasses
from collections.abc import Callable

from hdd_tf.methods.dm_idm_dance import CIFAR10_FOR_BOTH
from hdd_tf.methods.traits import (
    FULL_DSA,
    PLAIN_AND_HYPERBOLIC,
    Budget,
    Encoder,
    Kind,
    Traits,
    loops_for,
)

# By images per class: updates of the images in a network's life, and epochs of the
# network between two of them. One update a life needs no training.
DC_LOOPS = {1: (1, 0), 10: (10, 50), 20: (20, 25), 30: (30, 20), 40: (40, 15),
            50: (50, 10)}  # fmt: skip
# DCC trains networks with one image per class too.
DCC_LOOPS = {**DC_LOOPS, 1: (10, 5)}
_NETWORKS = 1000


def _budget(
    loops: dict[int, tuple[int, int]], eval_epochs: int
) -> Callable[[str, int, str], Budget]:
    return lambda dataset, ipc, geometry: Budget(
        _NETWORKS * loops_for(ipc, loops)[0], 256, eval_epochs, 5, 20
    )


DC = Traits(
    title="DC",
    summary="gradients of weights, in networks that train on the synthetic images",
    kind=Kind.CLASS_WISE,
    build="hdd_tf.objectives.gradient_matching.dc:build",
    own_settings=("dc_", "row_radius"),
    has_geometry=True,
    geometries=PLAIN_AND_HYPERBOLIC,
    formation_factor=1,
    unit_range=False,
    update_per_class=False,
    settings={
        "image_lr": 0.1,
        "iterations": 1000,
        "real_batch": 256,
        "init": "noise",
        "dsa": "none",
    },
    may_revisit=True,
    evaluation="dc",
    encoder=Encoder.TRAINED,
    normalised_as={},
    whitened=False,
    loops=DC_LOOPS,
    plain_image_lr=lambda dataset, ipc: 0.1,
    published={
        "euclidean": {
            "fashion_mnist": ((70.5, None), (82.3, None), (83.6, None)),
            "svhn_cropped": ((31.2, None), (76.1, None), (82.3, None)),
            "cifar10": ((28.3, None), (44.9, None), (53.9, None)),
            "cifar100": ((12.8, None), (25.2, None)),
        },
    },
    budget=_budget(DC_LOOPS, 301),
)

# The same computation with other defaults.
DSA = dataclasses.replace(
    DC,
    title="DSA",
    summary="the same, of images under one random transformation",
    settings={**DC.settings, "init": "real", "dsa": FULL_DSA},
    evaluation="dm",
    published={
        "euclidean": {
            "fashion_mnist": ((70.6, None), (84.6, None), (88.7, None)),
            "svhn_cropped": ((27.5, None), (79.2, None), (84.4, None)),
            "cifar10": ((28.8, None), (52.1, None), (60.6, None)),
            "cifar100": ((13.9, None), (32.3, None), (42.8, None)),
        },
    },
    budget=_budget(DC_LOOPS, 1001),
)


def _dcc_budget(dataset: str, ipc: int, geometry: str) -> Budget:
    eval_epochs = 301 if dataset == "svhn_cropped" else 1001
    return _budget(DCC_LOOPS, eval_epochs)(dataset, ipc, geometry)


DCC = Traits(
    title="DCC",
    summary="the gradient of all classes together, after a warm-up class by class",
    kind=Kind.WHOLE_SET,
    build="hdd_tf.objectives.gradient_matching.dcc:build",
    own_settings=("dc_", "dcc_", "row_radius"),
    has_geometry=True,
    geometries=PLAIN_AND_HYPERBOLIC,
    formation_factor=1,
    unit_range=False,
    update_per_class=False,
    settings={
        "image_lr": 0.1,
        "iterations": 10_000,
        "real_batch": 256,
        "init": "real",
        "dsa": FULL_DSA,
    },
    may_revisit=False,
    evaluation="dc",
    encoder=Encoder.TRAINED,
    normalised_as=CIFAR10_FOR_BOTH,
    whitened=False,
    loops=DCC_LOOPS,
    plain_image_lr=lambda dataset, ipc: 0.1,
    published={
        "euclidean": {
            "svhn_cropped": ((34.3, None), (76.2, None), (83.3, None)),
            "cifar10": ((34.0, None), (54.4, None), (64.2, None)),
            "cifar100": ((14.6, None), (33.5, None), (39.4, None)),
        },
    },
    budget=_dcc_budget,
)
