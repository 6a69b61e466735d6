"""Settings of the published cells of M3D and DataDAM, and of their hyperbolic twins.

Typed from the papers and programs, not from flags/. Keys are (TFDS name, images per
class). No accuracy of the twins was ever published.

Sources:
    Zhang et al., AAAI 2024, arXiv 2312.15927, and its program; what myoh97/DIDD-ASU
    (a175a20) derives from M3D's files.
    Sajedi et al., ICCV 2023, arXiv 2310.00093, and its program (0f6ea09).
"""

from typing import Any

CELLS = [(dataset, ipc) for dataset in ("cifar10", "cifar100") for ipc in (1, 10, 50)]
TWINS = [(dataset, ipc) for dataset, ipc in CELLS if dataset == "cifar10"]

EVERYWHERE: dict[str, dict[str, Any]] = {
    "m3d": {
        "m3d_kernel": "auto", "iterations_per_network": 5, "dsa": "color_crop_cutout",
        "formation_factor": 2, "dance_max_decoded": 200, "iterations": 10_000,
        "real_batch": 128, "init": "mix", "num_eval": 5, "eval_protocol": "dance",
        "eval_epochs": 1500,
    },
    "datadam": {
        "datadam_power": 1, "datadam_balance": 0.01, "datadam_batch_norm": True,
        "dsa": "color_crop_cutout_flip_scale_rotate", "strategy": "one_device",
        "iterations": 20_000, "real_batch": 64, "init": "real", "num_eval": 10,
        "eval_networks": ("convnet_batch",), "eval_protocol": "dm",
        "eval_epochs": 1801,
    },
}  # fmt: skip
# The same for both.
SHARED = {
    "image_momentum": 0.5, "network": "convnet", "depth": 3, "width": 128,
    "eval_batch": 64, "eval_lr": 0.01, "select": "last",
}  # fmt: skip
IMAGE_LR = {
    "m3d": {cell: float(cell[1]) for cell in CELLS},
    "datadam": dict.fromkeys(CELLS, 1.0),
}
HYPERBOLIC: dict[str, dict[int, dict[str, Any]]] = {
    "m3d": {
        ipc: {"curvature": -0.005, "max_tangent_norm": 0.0, "loss_weight": 1.0}
        for ipc in (1, 10, 50)
    },
    "datadam": {
        ipc: {"max_tangent_norm": 10.0, "loss_weight": weight, "datadam_balance": 10.0}
        for ipc, weight in ((1, 0.1), (10, 2.0), (50, 8.0))
    },
}
TITLES = {"m3d": "M3D", "datadam": "DataDAM"}


def files() -> list[tuple[str, str, tuple[str, int], str]]:
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


def settings(objective: str, cell: tuple[str, int], geometry: str) -> dict[str, Any]:
    """All settings of a cell that are not defaults, but for its run directory."""
    own = SHARED | EVERYWHERE[objective] | {"image_lr": IMAGE_LR[objective][cell]}
    if geometry == "hyperbolic":
        own |= HYPERBOLIC[objective][cell[1]]
    named = {"dataset": cell[0], "ipc": cell[1], "objective": objective}
    return own | named | {"geometry": geometry}
