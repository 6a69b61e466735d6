"""Settings of the published cells of MTT and DATM, and of their hyperbolic twins.

Typed from the programs' commands and configurations, not from flags/. Keys are (TFDS
name, images per class).

Sources:
    justincui03/dc_benchmark 2a57711: commands of MTT (Cazenavette et al., CVPR 2022),
    whose program (GeorgeCazenavette/mtt-distillation 50dccea) has the defaults.
    NUS-HPC-AI-Lab/DATM 97ae510: configurations of DATM (Guo et al., ICLR 2024).
"""

from typing import Any

Cell = tuple[str, int]
_SMALL = [(dataset, ipc) for dataset in ("cifar10", "cifar100") for ipc in (1, 10, 50)]
CELLS = {
    "mtt": [*_SMALL, *(("tiny_imagenet", ipc) for ipc in (1, 10, 50))],
    "datm": _SMALL,
}
TWINS = [(dataset, ipc) for dataset, ipc in _SMALL if dataset == "cifar10"]

EVERYWHERE: dict[str, dict[str, Any]] = {
    "mtt": {
        "trajectory_epochs": 50, "iterations": 5000, "eval_protocol": "mtt",
        "eval_batch": 256, "trajectory_threshold": 0,
    },
    "datm": {
        "trajectory_epochs": 100, "iterations": 10_000, "eval_protocol": "datm",
        "eval_batch": 128, "zca": True, "label_momentum": 0.9, "student_rate": 0.01,
    },
}  # fmt: skip
# The same for both.
SHARED = {
    "trajectory_experts": 100, "trajectory_batch": 256, "image_momentum": 0.5,
    "init": "real", "dsa": "color_crop_cutout_flip_scale_rotate",
    "network": "convnet", "width": 128, "num_eval": 5, "eval_epochs": 1001,
    "eval_lr": 0.01, "select": "best_validation", "validation_fraction": 0.1,
    "eval_every": 1000,
}  # fmt: skip
# Steps N, epochs M, bound, whitening, rate of the images, rate of the student's rate,
# the student's rate, images of a step (0: all).
MTT = {
    ("cifar10", 1): (50, 2, 2, True, 100, 1e-7, 0.01, 0),
    ("cifar10", 10): (30, 2, 20, True, 100, 1e-5, 0.001, 0),
    ("cifar10", 50): (30, 2, 40, False, 1000, 1e-5, 0.001, 0),
    ("cifar100", 1): (20, 3, 20, True, 1000, 1e-5, 0.01, 0),
    ("cifar100", 10): (20, 2, 20, False, 1000, 1e-5, 0.01, 0),
    ("cifar100", 50): (80, 2, 40, True, 1000, 1e-5, 0.01, 125),
    ("tiny_imagenet", 1): (10, 2, 10, False, 10_000, 1e-4, 0.01, 0),
    ("tiny_imagenet", 10): (20, 2, 40, False, 10_000, 1e-4, 0.01, 200),
    ("tiny_imagenet", 50): (20, 2, 40, False, 10_000, 1e-4, 0.01, 300),
}
_MTT_NAMES = (
    "student_steps", "trajectory_span", "trajectory_bound", "zca", "image_lr",
    "student_rate_lr", "student_rate", "student_batch",
)  # fmt: skip
# Steps N, epochs M, least epoch, first bound (0: the last one), last bound, iterations
# until then, rates of images, labels and student's rate, threshold, images of a step,
# start.
DATM = {
    ("cifar10", 1): (80, 2, 0, 0, 4, 0, 100, 5, 1e-7, 1.1, 0, "right"),
    ("cifar10", 10): (80, 2, 0, 10, 20, 1000, 100, 2, 1e-5, 1, 0, "right"),
    ("cifar10", 50): (80, 2, 0, 20, 40, 2000, 1000, 2, 1e-5, 1, 0, "right"),
    ("cifar100", 1): (40, 3, 0, 10, 20, 1000, 1000, 10, 1e-5, 1, 0, "right"),
    ("cifar100", 10): (80, 2, 0, 30, 50, 2000, 1000, 10, 1e-5, 1, 0, "right"),
    ("cifar100", 50): (80, 2, 20, 0, 70, 0, 1000, 10, 1e-5, 1, 1000, "any"),
}
_DATM_NAMES = (
    "student_steps", "trajectory_span", "trajectory_least", "trajectory_first",
    "trajectory_bound", "trajectory_widening", "image_lr", "label_lr",
    "student_rate_lr", "trajectory_threshold", "student_batch", "trajectory_init",
)  # fmt: skip
# Ours.
TWIN = {"curvature": -1.0, "trajectory_radius": 2.0}
TITLES = {"mtt": "MTT", "datm": "DATM"}


def files() -> list[tuple[str, str, Cell, str]]:
    """(file below flags/, objective, cell, geometry) of every cell."""
    return [
        (f"{objective}/{dataset}_ipc{ipc}{suffix}", objective, (dataset, ipc), geometry)
        for objective in EVERYWHERE
        for suffix, geometry, cells in (
            ("", "euclidean", CELLS[objective]),
            ("_hyperbolic", "hyperbolic", TWINS),
        )
        for dataset, ipc in cells
    ]


def settings(objective: str, cell: Cell, geometry: str) -> dict[str, Any]:
    """All settings of a cell that are not defaults, but for its run directory."""
    names, values = {
        "mtt": (_MTT_NAMES, MTT),
        "datm": (_DATM_NAMES, DATM),
    }[objective]
    own = SHARED | EVERYWHERE[objective] | dict(zip(names, values[cell], strict=True))
    own |= {"dataset": cell[0], "ipc": cell[1], "objective": objective}
    own |= {"geometry": geometry, "depth": 4 if cell[0] == "tiny_imagenet" else 3}
    return own | (TWIN if geometry == "hyperbolic" else {})
