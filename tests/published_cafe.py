"""Settings of the published cells of CAFE and CAFE+DSA, and of their hyperbolic twins.

Typed from the paper and the authors' program (github.com/kaiwang960112/CAFE at
b718ff5), not from flags/. Keys are (TFDS name, images per class).
"""

from typing import Any

CELLS = [
    (dataset, ipc)
    for dataset in ("fashion_mnist", "svhn_cropped", "cifar10", "cifar100")
    for ipc in (1, 10, 50)
]
TWINS = [(dataset, ipc) for dataset, ipc in CELLS if dataset == "cifar10"]
EVERYWHERE: dict[str, dict[str, Any]] = {
    "cafe": {"dsa": "none", "eval_protocol": "cafe", "eval_epochs": 601},
    "cafe_dsa": {
        "dsa": "color_crop_cutout_flip_scale_rotate", "eval_protocol": "dm",
        "eval_epochs": 1001,
    },
}  # fmt: skip
# The same for both; the program has no limits on its loops.
SHARED: dict[str, Any] = {
    "cafe_discrimination_weight": 0.01, "cafe_leave_spread": 0.04,
    "cafe_train_spread": 0.03, "cafe_max_updates": 100, "cafe_max_epochs": 50,
    "cafe_network_lr": 0.01, "cafe_network_batch": 256, "cafe_test_images": 128,
    "iterations": 2001, "real_batch": 256, "init": "noise", "image_lr": 0.1,
    "image_momentum": 0.5, "network": "convnet", "depth": 3, "width": 128,
    "checkpoint_every": 20, "num_eval": 20, "eval_batch": 256, "eval_lr": 0.01,
    "select": "last",
}  # fmt: skip
# Lambda of the twins, ours.
LOSS_WEIGHT = {1: 60.0, 10: 45.0, 50: 45.0}
TITLES = {"cafe": "CAFE", "cafe_dsa": "CAFE+DSA"}


def files() -> list[tuple[str, str, tuple[str, int], str]]:
    """(file below flags/, objective, cell, geometry) of every cell."""
    return [
        (
            f"{objective}/{dataset.removesuffix('_cropped')}_ipc{ipc}{suffix}",
            objective,
            (dataset, ipc),
            geometry,
        )
        for objective in EVERYWHERE
        for suffix, geometry, cells in (
            ("", "euclidean", CELLS),
            ("_hyperbolic", "hyperbolic", TWINS),
        )
        for dataset, ipc in cells
    ]


def settings(objective: str, cell: tuple[str, int], geometry: str) -> dict[str, Any]:
    """All settings of a cell that are not defaults, but for its run directory."""
    own = SHARED | EVERYWHERE[objective]
    if geometry == "hyperbolic":
        own |= {"max_tangent_norm": 10.0, "loss_weight": LOSS_WEIGHT[cell[1]]}
    named = {"dataset": cell[0], "ipc": cell[1], "objective": objective}
    return own | named | {"geometry": geometry}
