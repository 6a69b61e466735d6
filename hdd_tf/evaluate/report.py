"""The table a command ends with."""

from typing import Any

_TITLES = {"random": "random real images", "whole": "whole training set"}


def result_table(result: dict[str, Any], run_dir: str) -> str:
    """Returns a result as text for people.

    Args:
        result: Contents of `result.json`.
        run_dir: Where it lies.

    Returns:
        Several lines: what was run, one row per set, where the files are.
    """
    seeds = result.get("seeds", [result["seed"]])
    seeds_text = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    lines = [
        "",
        f"{result['dataset']}, {result['ipc']} per class, {result['objective']} in "
        f"{result['geometry']} geometry, {result['iterations']} iterations, "
        f"{seeds_text}",
    ]
    if isinstance(result["selected"], dict):
        chosen = result["selected"]
        lines.append(
            f"chosen on validation: iteration {chosen['iteration']} "
            f"({chosen['validation_accuracy']:.2f} %)"
        )
    # Which network the baselines are of is no question where there is but one.
    several = len(result["accuracy"]) > 1
    suffix = f" ({next(iter(result['accuracy']))})" if several else ""
    rows = [
        (_TITLES[name] + suffix, score)
        for name, score in result["baselines"].items()
        if name != "whole"
    ]
    rows += [
        (f"distilled ({network})", score)
        for network, score in result["accuracy"].items()
    ]
    rows += [
        (_TITLES[name] + suffix, score)
        for name, score in result["baselines"].items()
        if name == "whole"
    ]
    if rows:
        width = max(24, *(len(title) + 1 for title, _ in rows))
        lines.append(f"{'trained on':<{width}}{'images':>8}   test accuracy (%)")
        lines += [
            f"{title:<{width}}{score['images']:>8,}   "
            f"{score['mean']:.2f} ± {score['std']:.2f} "
            f"({len(score['values'])} networks)"
            for title, score in rows
        ]
    seconds = result["seconds"]
    spent = ", ".join(f"{name} {value:.0f} s" for name, value in seconds.items())
    lines.append(f"{spent + '; ' if spent else ''}files: {run_dir}")
    return "\n".join(lines)
