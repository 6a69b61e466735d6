"""Settings of the published cells of DSDM and IID, and of their hyperbolic twins.

Typed from the papers and programs, not from flags/. Keys are (TFDS name, images per
class). No accuracy of the twins was ever published.

Sources:
    Li et al., ACM Multimedia 2024, and its program (Li-Hongcheng/DSDM cb12851).
    Deng et al., CVPR 2024, arXiv 2404.00563, and its program (VincenDen/IID f0d4b30),
    with IDM's commands for the cells that it has no command for.
"""

from typing import Any

Cell = tuple[str, int]
CELLS = [(dataset, ipc) for dataset in ("cifar10", "cifar100") for ipc in (1, 10, 50)]
TWINS = [(dataset, ipc) for dataset, ipc in CELLS if dataset == "cifar10"]

EVERYWHERE: dict[str, dict[str, Any]] = {
    "dsdm": {
        "dsa": "color_crop_cutout", "dsdm_max_decoded": 256,
        "dsdm_covariance_weight": 50, "dsdm_prototype_weight": 0.2,
        "dsdm_prototype_memory": 0.99, "dsdm_prototype_after": 2000,
        "dsdm_networks": 10, "dsdm_epochs": 20, "dsdm_batch": 256,
        "iterations": 10_000, "init": "mix", "eval_protocol": "dance",
        "eval_epochs": 1500, "eval_batch": 64,
    },
    "iid": {
        "dsa": "color_crop_cutout_flip_scale_rotate", "iid_covariance_weight": 0.03,
        "iid_centre_weight": 0.01, "iid_network": "resnet18", "iid_networks": 10,
        "iid_epochs": 40, "iid_batch": 256, "idm_pool_start": 3, "idm_pool_size": 100,
        "idm_reset_every": 5000, "idm_train_networks": 2, "idm_train_batch": 256,
        "idm_train_lr": 0.01, "iterations": 20_000, "init": "real",
        "eval_protocol": "dm", "eval_epochs": 1001, "eval_batch": 256,
    },
}  # fmt: skip
# The same for both.
SHARED = {
    "formation_factor": 2, "image_momentum": 0.5, "network": "convnet", "depth": 3,
    "width": 128, "num_eval": 5, "eval_lr": 0.01, "select": "last",
}  # fmt: skip
IMAGE_LR = {
    "dsdm": {cell: {1: 0.01, 10: 0.1, 50: 0.5}[cell[1]] for cell in CELLS},
    "iid": dict.fromkeys(CELLS, 0.2),
}
# Of IDM's commands: real batch, iterations until a network joins, factor of the
# cross-entropy, updates of a network.
POOL = {
    ("cifar10", 1): (5000, 5, 0.5, 10),
    ("cifar10", 10): (256, 30, 0.5, 10),
    ("cifar10", 50): (256, 30, 0.1, 10),
    ("cifar100", 1): (5000, 5, 0.5, 10),
    ("cifar100", 10): (256, 30, 0.1, 50),
    ("cifar100", 50): (256, 30, 0.1, 10),
}
# K, lambda and image learning rate of DANCE+HDD and of IDM+HDD.
TWIN = {
    "dsdm": {1: (-5 / 9, 20, 0.02), 10: (-5, 40, 0.2), 50: (-1 / 2, 60, 0.5)},
    "iid": {1: (-1 / 3, 80, 0.5), 10: (-1 / 3, 100, 1), 50: (-1 / 3, 120, 0.2)},
}
TITLES = {"dsdm": "DSDM", "iid": "IID"}


def files() -> list[tuple[str, str, Cell, str]]:
    """(file below flags/, objective, cell, geometry) of every cell."""
    return [
        (f"{objective}/{dataset}_ipc{ipc}{suffix}", objective, (dataset, ipc), geometry)
        for objective in EVERYWHERE
        for suffix, geometry, cells in (
            ("", "euclidean", CELLS),
            ("_hyperbolic", "hyperbolic", TWINS),
        )
        for dataset, ipc in cells
    ]


def real_batch(objective: str, cell: Cell) -> int:
    """Real images per class and iteration."""
    return POOL[cell][0] if objective == "iid" else 256


def settings(objective: str, cell: Cell, geometry: str) -> dict[str, Any]:
    """All settings of a cell that are not defaults, but for its run directory."""
    own = SHARED | EVERYWHERE[objective] | {"image_lr": IMAGE_LR[objective][cell]}
    own |= {"dataset": cell[0], "ipc": cell[1], "objective": objective}
    own |= {"geometry": geometry, "real_batch": real_batch(objective, cell)}
    if objective == "iid":
        names = ("idm_join_every", "idm_cross_entropy_weight", "idm_train_steps")
        own |= dict(zip(names, POOL[cell][1:], strict=True))
    if geometry == "hyperbolic":
        names = ("curvature", "loss_weight", "image_lr")
        own |= dict(zip(names, TWIN[objective][cell[1]], strict=True))
        own |= {"max_tangent_norm": 10, "lift": "expmap0"}
        own |= {"dsdm_prototype_weight": 200} if objective == "dsdm" else {}
    return own
