"""Published test accuracies, and the budgets they were measured with.

Sources:
    Li et al., "Hyperbolic Dataset Distillation", NeurIPS 2025, arXiv 2505.24623: all
    accuracies here, those of the plain objectives and of the coresets included, as its
    tables compare them.
    Zhao and Bilen, "Dataset Condensation with Distribution Matching", WACV 2023: DM,
    its schedule and its evaluation.
    Zhao et al., "Improved Distribution Matching for Dataset Condensation", CVPR 2023:
    IDM, evaluated as DM is.
    Zhang et al., "DANCE: Dual-View Distribution Alignment for Dataset Condensation",
    IJCAI 2024: DANCE and its evaluation.

Data sets have their TFDS names. All distilled sets and coresets were scored with the
ConvNet they were matched with, of depth 3 (ImageWoof: 5).
"""

import dataclasses

from hdd_tf.settings.matching import OBJECTIVES

_Accuracy = tuple[float, float]
# Mean and standard deviation in percent at IPC 1, 10, 50 (ImageWoof: 1, 10).
_Row = tuple[_Accuracy, ...]
_IPC = (1, 10, 50)

_DISTILLED: dict[tuple[str, str], dict[str, _Row]] = {
    ("dm", "euclidean"): {
        "fashion_mnist": ((70.7, 0.6), (83.4, 0.1), (88.1, 0.6)),
        "svhn_cropped": ((21.9, 0.4), (72.8, 0.3), (82.6, 0.3)),
        "cifar10": ((26.4, 0.3), (48.5, 0.6), (62.2, 0.5)),
        "cifar100": ((11.4, 0.3), (29.7, 0.3), (43.0, 0.4)),
    },
    ("dm", "hyperbolic"): {
        "fashion_mnist": ((72.1, 0.2), (84.0, 0.1), (88.8, 0.4)),
        "svhn_cropped": ((25.0, 0.2), (75.1, 0.2), (83.0, 0.3)),
        "cifar10": ((28.7, 0.2), (50.3, 0.3), (63.2, 0.4)),
        "cifar100": ((13.3, 0.2), (30.1, 0.1), (43.8, 0.2)),
    },
    ("idm", "euclidean"): {
        "fashion_mnist": ((77.4, 0.3), (82.4, 0.2), (84.5, 0.1)),
        "svhn_cropped": ((65.3, 0.3), (81.0, 0.1), (85.2, 0.3)),
        "cifar10": ((45.2, 0.5), (57.3, 0.3), (67.2, 0.1)),
        "cifar100": ((22.1, 0.2), (44.7, 0.3), (46.5, 0.4)),
    },
    ("idm", "hyperbolic"): {
        "fashion_mnist": ((78.5, 0.2), (83.8, 0.2), (86.4, 0.3)),
        "svhn_cropped": ((67.8, 0.2), (84.0, 0.2), (87.6, 0.1)),
        "cifar10": ((47.0, 0.1), (61.3, 0.1), (69.7, 0.2)),
        "cifar100": ((25.3, 0.2), (45.4, 0.1), (48.9, 0.3)),
    },
    ("dance", "euclidean"): {
        "cifar10": ((47.2, 0.3), (70.2, 0.2), (76.3, 0.1)),
        "cifar100": ((26.2, 0.2), (49.7, 0.1), (52.8, 0.1)),
        "imagewoof": ((27.1, 0.2), (46.2, 0.2)),
    },
    ("dance", "hyperbolic"): {
        "cifar10": ((46.8, 0.3), (70.8, 0.2), (77.1, 0.2)),
        "cifar100": ((27.7, 0.3), (50.2, 0.2), (53.9, 0.1)),
        "imagewoof": ((27.6, 0.2), (46.6, 0.1)),
    },
}

_CORESETS: dict[str, dict[str, _Row]] = {
    "random": {
        "fashion_mnist": ((51.4, 3.8), (73.8, 0.7), (82.5, 0.7)),
        "svhn_cropped": ((14.6, 1.6), (35.1, 4.1), (70.9, 0.9)),
        "cifar10": ((14.4, 2.0), (26.0, 1.2), (43.4, 1.0)),
        "cifar100": ((4.2, 0.3), (14.6, 0.5), (30.0, 0.4)),
    },
    "herding": {
        "fashion_mnist": ((67.0, 1.9), (71.1, 0.7), (71.9, 0.8)),
        "svhn_cropped": ((20.9, 1.3), (50.5, 3.3), (72.6, 0.8)),
        "cifar10": ((21.5, 1.2), (31.6, 0.7), (40.4, 0.6)),
        "cifar100": ((8.4, 0.3), (17.3, 0.3), (33.7, 0.5)),
    },
    "k_center": {
        "fashion_mnist": ((66.9, 1.8), (54.7, 1.5), (68.3, 0.8)),
        "svhn_cropped": ((21.0, 1.5), (14.0, 1.3), (20.1, 1.4)),
        "cifar10": ((21.5, 1.3), (14.7, 0.7), (27.0, 1.4)),
        "cifar100": ((8.3, 0.3), (7.1, 0.2), (30.5, 0.3)),
    },
    # Not reported for FashionMNIST.
    "forgetting": {
        "svhn_cropped": ((12.1, 5.6), (16.8, 1.2), (27.2, 1.5)),
        "cifar10": ((13.5, 1.5), (23.3, 1.0), (23.3, 1.1)),
        "cifar100": ((4.5, 0.3), (15.1, 0.2), (30.5, 0.3)),
    },
}

_WHOLE: dict[str, _Accuracy] = {
    "fashion_mnist": (93.5, 0.1),
    "svhn_cropped": (95.4, 0.1),
    "cifar10": (84.8, 0.1),
    "cifar100": (56.2, 0.3),
    "imagewoof": (67.0, 1.3),
}


def published_accuracy(
    dataset: str, ipc: int, objective: str, geometry: str = ""
) -> _Accuracy | None:
    """Returns the published mean and standard deviation in percent.

    Args:
        dataset: TFDS name.
        ipc: Images per class; unused for `whole`.
        objective: `dm`, `idm`, `dance`, a coreset, or `whole`.
        geometry: `hyperbolic` or `euclidean`; unused for coresets and `whole`.

    Returns:
        The two numbers; None where none was published or our source has none.
    """
    if objective == "whole":
        return _WHOLE.get(dataset)
    rows = _CORESETS.get(objective) or _DISTILLED.get((objective, geometry), {})
    return dict(zip(_IPC, rows.get(dataset, ()), strict=False)).get(ipc)


def accuracy_text(accuracy: _Accuracy | None) -> str:
    """Returns published numbers as they are printed: one decimal, as published."""
    return f"{accuracy[0]:.1f} ± {accuracy[1]:.1f}" if accuracy else "not known"


def published_cells() -> tuple[tuple[str, int, str, str], ...]:
    """Returns (data set, IPC, objective, geometry) of all accuracies of distillation.

    Source: Li et al. 2025. TinyImageNet's cells of IDM are missing: their settings
    are known, their accuracies are not.
    """
    return tuple(
        (dataset, ipc, objective, geometry)
        for (objective, geometry), rows in _DISTILLED.items()
        for dataset, row in rows.items()
        for ipc, _ in zip(_IPC, row, strict=False)
    )


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a published number cost; None where our sources do not say.

    Attributes:
        iterations: Of distillation.
        real_batch: Real images per class and iteration, at most the class's size.
        eval_epochs: Of each network of the evaluation.
        sets: Distilled sets, of different seeds.
        networks: Networks trained on each of them.
    """

    iterations: int
    real_batch: int
    eval_epochs: int
    sets: int | None
    networks: int | None


def published_budget(
    dataset: str, ipc: int, objective: str, geometry: str
) -> Budget | None:
    """Returns the published budget of a cell; None if there is no such cell.

    Sources: Zhao and Bilen 2023 (DM), Zhao et al. 2023 (IDM), Zhang et al. 2024
    (DANCE), and Li et al. 2025 for the 10,000 iterations of IDM+HDD on CIFAR-10.
    """
    known = published_accuracy(dataset, ipc, objective, geometry) is not None
    tiny = (dataset, objective) == ("tiny_imagenet", "idm") and ipc in _IPC
    if objective not in OBJECTIVES or not (known or tiny):
        return None
    if objective == "dm":
        return Budget(20_000, 256, 1001, 5, 5)
    if objective == "dance":
        # By decoded images per class, 4 IPC: up to 10 of ImageWoof's 2,000.
        epochs = 2000 if (dataset, ipc) == ("imagewoof", 1) else 1500
        return Budget(10_000, 128, epochs, None, None)
    short = (dataset, geometry) == ("cifar10", "hyperbolic")
    # CIFAR with one image per class draws whole classes. IDM has no program for
    # FashionMNIST and SVHN; CIFAR-10's constants stand in.
    whole_classes = ipc == 1 and dataset != "tiny_imagenet"
    return Budget(
        10_000 if short else 20_000, 5000 if whole_classes else 256, 1001, 5, 5
    )
