"""A result.json with all that a command goes on from."""

from typing import Any

SCORE = {"mean": 70.5, "std": 0.5, "values": [70.0, 71.0], "images": 10}
FAIR_SCORE = {
    **{key: 0.5 for key in ("lrs", "ars", "a", "b", "hlr", "ior", "w")},
    **{"network": "convnet", "networks": 2, "whole_epochs": 3},
    "accuracy": {"distilled": SCORE},
}


def whole_result(**changes: Any) -> dict[str, Any]:
    """Returns a result; `changes` replace entries of it."""
    return {
        **{"dataset": "digits", "ipc": 1, "objective": "dm", "geometry": "euclidean"},
        **{"seed": 0, "iterations": 5, "selected": "last iteration"},
        **{"accuracy": {"convnet": SCORE}, "baselines": {}, "seconds": {}},
        **changes,
    }
