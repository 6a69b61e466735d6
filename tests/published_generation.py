"""The published cells of D4M, and their hyperbolic twins: written apart from flags/.

No accuracy of the twins was ever published, and those of the cells are of another
diffusion model. Sources: Su et al., CVPR 2024, arXiv 2407.15138; how networks train is
the evaluator of NUS-HPC-AI-Lab/DD-Ranking at e5a13c2.
"""

from typing import Any

Cell = tuple[str, int]
CELLS = [(dataset, ipc) for dataset in ("cifar10", "cifar100") for ipc in (10, 50)]
TITLES = {"d4m": "D4M"}
EVERYWHERE: dict[str, dict[str, Any]] = {
    "d4m": {
        "d4m_strength": 0.7, "d4m_guidance": 2.0, "d4m_steps": 50, "d4m_chunk": 1,
        "d4m_autoencoder_width": 64, "d4m_autoencoder_epochs": 30, "d4m_width": 64,
        "d4m_updates": 20_000, "d4m_batch": 128, "d4m_teacher_epochs": 200,
        "d4m_teacher_batch": 512, "network": "convnet", "depth": 3, "width": 128,
        "num_eval": 5, "eval_protocol": "d4m", "eval_epochs": 500, "eval_batch": 100,
        "eval_lr": 0.01, "select": "last", "curvature": -1.0,
    },
}  # fmt: skip


def files() -> list[tuple[str, str, Cell, str]]:
    """(file below flags/, objective, cell, geometry) of every cell."""
    return [
        (f"d4m/{dataset}_ipc{ipc}{suffix}", "d4m", (dataset, ipc), geometry)
        for suffix, geometry in (("", "euclidean"), ("_hyperbolic", "hyperbolic"))
        for dataset, ipc in CELLS
    ]


def settings(objective: str, cell: Cell, geometry: str) -> dict[str, Any]:
    """All settings of a cell that are not defaults, but for its run directory."""
    own = {"dataset": cell[0], "ipc": cell[1], "objective": objective}
    return {**EVERYWHERE[objective], **own, "geometry": geometry}
