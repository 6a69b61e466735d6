"""Settings of the published cells of G-VBSM, which has no geometry.

Typed from the paper and the authors' program
(shaoshitong/G_VBSM_Dataset_Condensation at 1ed80b0), not from flags/. Keys are (TFDS
name, images per class).
"""

from typing import Any

CELLS = {("cifar10", 10), ("cifar10", 50)} | {("cifar100", i) for i in (1, 10, 50)}
SHARED: dict[str, Any] = {
    "objective": "gvbsm", "geometry": "euclidean", "dsa": "none", "iterations": 4000,
    "image_lr": 0.05, "image_lr_period": 4000, "init": "noise",
    "gvbsm_pool": "published", "gvbsm_batch": 64, "gvbsm_group": 100,
    "gvbsm_statistics_weight": 0.01, "gvbsm_first_weight": 10, "gvbsm_memory": 0.8,
    "gvbsm_skip": 0.4, "gvbsm_roll": 32,
    "gvbsm_density_weight": 1, "gvbsm_density_temperature": 4,
    "network": "convnet", "depth": 3, "width": 128, "norm": "instance",
    "eval_protocol": "gvbsm", "eval_epochs": 1000, "eval_lr": 0.1,
    "gvbsm_hard_weight": 0.15, "num_eval": 5, "baselines": ("random",),
}  # fmt: skip
# Epochs of the pool, and images of the students' batches.
OWN = {"cifar10": (5, 100), "cifar100": (50, 64)}


def settings(cell: tuple[str, int]) -> dict[str, Any]:
    """All settings of a cell that are not defaults, but for its run directory."""
    dataset, ipc = cell
    epochs, batch = OWN[dataset]
    own = {"gvbsm_epochs": epochs, "eval_batch": batch}
    return SHARED | own | {"dataset": dataset, "ipc": ipc}
