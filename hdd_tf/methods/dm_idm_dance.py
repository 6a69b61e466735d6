"""The traits of DM, IDM and DANCE, which match distributions of features.

Sources of the published values:
    Li et al., "Hyperbolic Dataset Distillation", NeurIPS 2025, arXiv 2505.24623: all
    accuracies here, including those of the plain methods, which its tables compare;
    10,000 iterations of IDM+HDD on CIFAR-10.
    Zhao and Bilen, "Dataset Condensation with Distribution Matching", WACV 2023: DM,
    its schedule, image learning rate and evaluation.
    Zhao et al., "Improved Distribution Matching for Dataset Condensation", CVPR 2023:
    IDM, with the evaluation of DM.
    Zhang et al., "DANCE: Dual-View Distribution Alignment for Dataset Condensation",
    IJCAI 2024: DANCE and its evaluation.
The accuracies of IDM on TinyImageNet are missing: only their settings are published.
"""

from hdd_tf.methods.traits import FULL_DSA, Budget, Encoder, Kind, Traits

# Programs that normalise CIFAR-100 with CIFAR-10's constants.
CIFAR10_FOR_BOTH = {"cifar100": "cifar10"}

# DM's settings. Commands with IDM or DANCE and without a flag file have always used
# them too: the rates and schedules of these methods depend on data set and IPC, and are
# in their flag files. Coresets use none of the settings.
DM_SETTINGS = {
    "image_lr": 1.0,
    "iterations": 20_000,
    "real_batch": 256,
    "init": "real",
    "dsa": FULL_DSA,
}


def _dm_budget(dataset: str, ipc: int, geometry: str) -> Budget:
    return Budget(20_000, 256, 1001, 5, 5)


def _idm_budget(dataset: str, ipc: int, geometry: str) -> Budget:
    short = (dataset, geometry) == ("cifar10", "hyperbolic")
    # For CIFAR with one image per class, IDM's program draws whole classes. IDM has no
    # program for FashionMNIST and SVHN, so CIFAR-10's constants replace theirs.
    whole_classes = ipc == 1 and dataset != "tiny_imagenet"
    return Budget(
        10_000 if short else 20_000, 5000 if whole_classes else 256, 1001, 5, 5
    )


def _dance_budget(dataset: str, ipc: int, geometry: str) -> Budget:
    # The number depends on the decoded images per class (4 times the IPC): 2,000 epochs
    # for up to 10 images of ImageWoof.
    epochs = 2000 if (dataset, ipc) == ("imagewoof", 1) else 1500
    return Budget(10_000, 128, epochs, None, None)


DM = Traits(
    title="DM",
    summary="features of random networks",
    kind=Kind.CLASS_WISE,
    draws_own_classes=True,
    build="hdd_tf.objectives.dm:build",
    own_settings=("iterations_per_network", "matched_maps"),
    has_geometry=True,
    formation_factor=1,
    unit_range=False,
    update_per_class=False,
    settings=DM_SETTINGS,
    may_revisit=True,
    evaluation="dm",
    encoder=Encoder.TRAINED,
    normalised_as={},
    whitened=False,
    plain_image_lr=lambda dataset, ipc: 1.0,
    published={
        "euclidean": {
            "fashion_mnist": ((70.7, 0.6), (83.4, 0.1), (88.1, 0.6)),
            "svhn_cropped": ((21.9, 0.4), (72.8, 0.3), (82.6, 0.3)),
            "cifar10": ((26.4, 0.3), (48.5, 0.6), (62.2, 0.5)),
            "cifar100": ((11.4, 0.3), (29.7, 0.3), (43.0, 0.4)),
        },
        "hyperbolic": {
            "fashion_mnist": ((72.1, 0.2), (84.0, 0.1), (88.8, 0.4)),
            "svhn_cropped": ((25.0, 0.2), (75.1, 0.2), (83.0, 0.3)),
            "cifar10": ((28.7, 0.2), (50.3, 0.3), (63.2, 0.4)),
            "cifar100": ((13.3, 0.2), (30.1, 0.1), (43.8, 0.2)),
        },
    },
    budget=_dm_budget,
)

IDM = Traits(
    title="IDM",
    summary="of a pool of semi-trained ones, with cross-entropy",
    kind=Kind.CLASS_WISE,
    build="hdd_tf.objectives.idm:build",
    has_geometry=True,
    formation_factor=2,
    unit_range=False,
    update_per_class=True,
    settings=DM_SETTINGS,
    may_revisit=False,
    evaluation="dm",
    encoder=Encoder.POOL,
    encoder_source="hdd_tf.objectives.idm:pool_schedule",
    own_settings=("idm_", "matched_maps"),
    normalised_as=CIFAR10_FOR_BOTH,
    whitened=False,
    plain_image_lr=lambda dataset, ipc: 0.2,
    published={
        "euclidean": {
            "fashion_mnist": ((77.4, 0.3), (82.4, 0.2), (84.5, 0.1)),
            "svhn_cropped": ((65.3, 0.3), (81.0, 0.1), (85.2, 0.3)),
            "cifar10": ((45.2, 0.5), (57.3, 0.3), (67.2, 0.1)),
            "cifar100": ((22.1, 0.2), (44.7, 0.3), (46.5, 0.4)),
        },
        "hyperbolic": {
            "fashion_mnist": ((78.5, 0.2), (83.8, 0.2), (86.4, 0.3)),
            "svhn_cropped": ((67.8, 0.2), (84.0, 0.2), (87.6, 0.1)),
            "cifar10": ((47.0, 0.1), (61.3, 0.1), (69.7, 0.2)),
            "cifar100": ((25.3, 0.2), (45.4, 0.1), (48.9, 0.3)),
        },
    },
    settings_of=frozenset({"tiny_imagenet"}),
    budget=_idm_budget,
)

DANCE = Traits(
    title="DANCE",
    summary="of encoders between an expert's start and end, with calibration by "
    "the expert",
    kind=Kind.CLASS_WISE,
    draws_own_classes=True,
    build="hdd_tf.objectives.dance:build",
    has_geometry=True,
    formation_factor=2,
    unit_range=True,
    update_per_class=True,
    settings=DM_SETTINGS,
    may_revisit=True,
    evaluation="dance",
    encoder=Encoder.EXPERT,
    encoder_source="hdd_tf.objectives.dance:expert_shelf",
    ahead_source="hdd_tf.objectives.dance:expert_shelf",
    own_settings=("num_experts", "pretrain_", "dance_", "matched_maps"),
    normalised_as=CIFAR10_FOR_BOTH,
    whitened=False,
    plain_image_lr=lambda dataset, ipc: (
        ipc / 10 if dataset == "imagewoof" else ipc / 100
    ),
    published={
        "euclidean": {
            "cifar10": ((47.2, 0.3), (70.2, 0.2), (76.3, 0.1)),
            "cifar100": ((26.2, 0.2), (49.7, 0.1), (52.8, 0.1)),
            "imagewoof": ((27.1, 0.2), (46.2, 0.2)),
        },
        "hyperbolic": {
            "cifar10": ((46.8, 0.3), (70.8, 0.2), (77.1, 0.2)),
            "cifar100": ((27.7, 0.3), (50.2, 0.2), (53.9, 0.1)),
            "imagewoof": ((27.6, 0.2), (46.6, 0.1)),
        },
    },
    budget=_dance_budget,
)
