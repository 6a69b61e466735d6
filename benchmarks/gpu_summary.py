"""What follows from the results of the stages of `gpu.py`."""

from typing import Any


def ratios(results: dict[str, Any]) -> dict[str, float]:
    """Returns how DM's iteration compares with PyTorch's and with the floors.

    Args:
        results: Results of the stages `time`, `torch` and `roofline`.

    Returns:
        By name, PyTorch's seconds over ours, and ours over the larger floor.
    """
    found = {}
    theirs, floors = (results.get(name, {}) for name in ("torch", "roofline"))
    for name, value in results.get("time", {}).items():
        if not name.startswith("dm ") or "failed" in value:
            continue
        ours = value["seconds of an iteration"]
        case = " ".join(name.split()[1:4])  # ipc 10 tf32
        for way in (case, f"{case} channels-last"):
            if way in theirs:
                found[f"PyTorch {way} over {name}"] = theirs[way]["seconds"] / ours
        if floor := floors.get(f"floors {case}, s"):
            larger = max(floor["product"], floor["memory"])
            found[f"{name} over its floor"] = ours / larger
    return {name: round(ratio, 3) for name, ratio in found.items()}


def out_of_limits(results: dict[str, Any]) -> list[str]:
    """Returns the checks against the CPU whose errors are too large.

    Args:
        results: Results of the stage `check`.
    """
    return [
        f"{name} {precision}"
        for name, found in results.get("check", {}).items()
        for precision, errors in (found.items() if isinstance(found, dict) else ())
        if isinstance(errors, dict) and not errors["ok"]
    ]
