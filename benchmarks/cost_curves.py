"""What an iteration costs as one thing grows: its curves, and where they bend.

    python benchmarks/cost_curves.py [--picture=costs.png]

Costs are CPU seconds of all threads together, which depend less than wall time on what
else the machine does, and which several replicas on the same cores do not hide. The
network is narrow, so that the curves take two minutes.
"""

import argparse
import dataclasses
import json
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from timing import Run
from workloads import distillation_step, step_run

from hdd_tf.distributed.strategies import build_strategy

# Further than this from the line, a curve is not called linear.
TOLERANCE = 0.2


@dataclasses.dataclass(frozen=True)
class Sizes:
    """The points of each curve, and what the others are meanwhile."""

    ipc: tuple[int, ...] = (1, 10, 25, 50, 100)
    classes: tuple[int, ...] = (5, 10, 20, 40, 80)
    sides: tuple[int, ...] = (16, 24, 32, 48, 64)
    replicas: tuple[int, ...] = (1, 2, 4)
    bank: tuple[int, ...] = (1, 8, 32)
    real: int = 64
    width: int = 32
    depth: int = 3
    base_ipc: int = 10
    base_classes: int = 10
    base_side: int = 32
    repeats: int = 3


FULL = Sizes()
QUICK = Sizes(
    ipc=(1, 2), classes=(2, 3), sides=(8, 16), replicas=(), bank=(), real=4, width=8,
    depth=1, base_ipc=1, base_classes=2, base_side=8, repeats=1,
)  # fmt: skip


def cpu_seconds(run: Run, warm_up: int = 2, repeats: int = 3) -> float:
    """Returns the CPU seconds of a run, of all threads together: a median.

    Args:
        run: The run.
        warm_up: Number of calls before, which do not count.
        repeats: Number of calls that count.
    """
    for _ in range(warm_up):
        run()
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        run()
        taken.append(time.process_time() - began)
    return statistics.median(taken)


def step_seconds(
    sizes: Sizes,
    *,
    ipc: int = 0,
    classes: int = 0,
    side: int = 0,
    bank: int = 0,
    strategy: tf.distribute.Strategy | None = None,
) -> float:
    """Returns the CPU seconds of an iteration; 0 stands for the value of the base."""
    side = side or sizes.base_side
    step = distillation_step(
        classes or sizes.base_classes,
        (side, side, 3),
        strategy,
        ipc=ipc or sizes.base_ipc,
        real_batch=sizes.real,
        real_bank_size=bank,
        width=sizes.width,
        depth=sizes.depth,
    )
    # A bank of n entries is full after n iterations, and traces once more.
    return cpu_seconds(step_run(step), max(2, bank + 1), sizes.repeats)


def replicas_seconds(sizes: Sizes, replicas: int) -> float:
    """Returns `step_seconds` on virtual devices, in a process of its own."""
    here = pathlib.Path(__file__)
    command = [sys.executable, here, f"--replicas={replicas}"]
    command.append(f"--sizes={json.dumps(dataclasses.asdict(sizes))}")
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(finished.stdout.split()[-1])


def fit(x: Sequence[float], seconds: Sequence[float]) -> tuple[float, float, float]:
    """Fits `seconds = fixed + slope x`, by relative errors.

    Returns:
        fixed and slope, neither below 0, and the largest relative error.
    """
    from scipy.optimize import nnls

    values = np.asarray(seconds)
    rows = np.stack([np.ones(len(x)), np.asarray(x, float)], axis=1) / values[:, None]
    (fixed, slope), _ = nnls(rows, np.ones_like(values))
    error = float(np.abs(rows @ [fixed, slope] - 1).max())
    return float(fixed), float(slope), error


def bend(x: Sequence[float], seconds: Sequence[float]) -> tuple[float, float]:
    """Returns the seconds of a unit more, at the small end and at the large end."""
    steps = np.diff(seconds) / np.diff(x)
    return float(steps[0]), float(steps[-1])


def sentence(
    x: Sequence[float], seconds: Sequence[float], unit: str, constant: bool = False
) -> str:
    """Says what a curve does: whether it is linear, and what shows if it is not.

    Args:
        x: Increasing values, at least two.
        seconds: CPU seconds of each.
        unit: What one more of x is.
        constant: Whether the cost should not depend on x.
    """
    fixed, slope, error = fit(x, seconds)
    ends = f"{seconds[0]:.3g} s at {x[0]:,} and {seconds[-1]:.3g} s at {x[-1]:,}"
    if constant:
        growth = max(seconds) / min(seconds) - 1
        if growth <= TOLERANCE:
            return f"constant within {growth:.0%} ({ends})."
        return (
            f"not constant, {ends}: one {unit} more adds {1e3 * slope:.3g} ms, "
            f"{slope / seconds[0]:.0%} of the first value."
        )
    a_unit = f" {'an' if unit[0] in 'aeio' else 'a'} {unit}"
    line = f"{fixed:.3g} s + {1e3 * slope:.3g} ms{a_unit}"
    if error <= TOLERANCE:
        share = fixed / seconds[0]
        proportional = "proportional" if share < TOLERANCE else "linear"
        if fixed < 1e-6 * seconds[0]:  # Nothing but rounding.
            return f"{proportional} within {error:.0%}: {1e3 * slope:.3g} ms{a_unit}."
        rest = f", of which the fixed part is {share:.0%} at {x[0]:,}"
        return f"{proportional} within {error:.0%}: {line}{rest}."
    first, last = bend(x, seconds)
    if last > first:
        why = "what is computed at once grows out of the caches of the processor"
    else:
        why = "small passes leave much of what a pass costs anyway unused"
    return (
        f"not linear, {line} is off by up to {error:.0%}: one {unit} more costs "
        f"{1e3 * first:.3g} ms at the small end and {1e3 * last:.3g} ms at the large "
        f"one, as happens where {why}."
    )


def measure(sizes: Sizes) -> dict[str, Any]:
    """Measures all curves.

    Returns:
        For each curve, by what grows: `x`, `seconds` and a `sentence`.
    """
    # What grows, its unit, its values, whether it should matter, and the measurement.
    Row = tuple[str, str, Sequence[int], bool, Callable[[int], float]]
    rows: list[Row] = [
        ("images per class", "image per class", sizes.ipc, False,
         lambda v: step_seconds(sizes, ipc=v)),
        ("classes", "class", sizes.classes, False,
         lambda v: step_seconds(sizes, classes=v)),
        ("pixels of an image", "pixel", sizes.sides, False,
         lambda v: step_seconds(sizes, side=v)),
        ("replicas on the same cores", "replica", sizes.replicas, True,
         lambda v: replicas_seconds(sizes, v)),
        ("entries of a full bank", "entry", sizes.bank, True,
         lambda v: step_seconds(sizes, bank=v)),
    ]  # fmt: skip
    curves = {}
    for name, unit, values, constant, of in rows:
        if not values:
            continue
        began = time.perf_counter()
        seconds = [round(of(value), 5) for value in values]
        x = [v * v for v in values] if unit == "pixel" else list(values)
        curves[name] = {
            "x": x,
            "seconds": seconds,
            "sentence": sentence(x, seconds, unit, constant),
        }
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
    return curves


def draw(path: pathlib.Path, curves: Mapping[str, Any]) -> None:
    """Draws each curve with its line, on logarithmic axes.

    Args:
        path: PNG file.
        curves: What `measure` returns.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    columns = min(3, len(curves))
    rows = -(-len(curves) // columns)
    figure = Figure((3.4 * columns, 2.9 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    plain = FuncFormatter(lambda value, _: f"{value:,.4g}")
    for axes, (name, curve) in zip(grid, curves.items(), strict=False):
        x, seconds = curve["x"], curve["seconds"]
        fixed, slope, _ = fit(x, seconds)
        fine = np.geomspace(x[0], x[-1], 50)
        axes.plot(fine, fixed + slope * fine, color="0.6", label="fitted line")
        axes.plot(x, seconds, "o", label="measured")
        axes.set(xscale="log", yscale="log", xlabel=name)
        middle = np.sqrt(min(seconds) * max(seconds))
        # Noise should not fill the height of what is constant.
        axes.set_ylim(
            min(min(seconds) / 1.2, middle / 3), max(max(seconds) * 1.2, 3 * middle)
        )
        axes.set_xticks(x)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(plain)
        axes.yaxis.set_major_formatter(plain)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.3)
    for axes in grid[len(curves) :]:
        axes.remove()
    for axes in grid[::columns]:
        axes.set_ylabel("CPU s an iteration")
    grid[0].legend()
    figure.savefig(path, dpi=90)


def main(words: Sequence[str] | None = None) -> None:
    """Measures all curves, says what they do, and draws them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny, for tests")
    parser.add_argument("--picture", type=pathlib.Path, help="PNG file to write")
    parser.add_argument("--replicas", type=int, help="only measure these")
    parser.add_argument("--sizes", type=json.loads, help="as JSON, with --replicas")
    options = parser.parse_args(words)
    if options.replicas:
        sizes = Sizes(**(options.sizes or {}))
        strategy = build_strategy("auto", options.replicas)
        print(step_seconds(sizes, strategy=strategy))
        return
    curves = measure(QUICK if options.quick else FULL)
    for name, curve in curves.items():
        print(f"{name}: {curve['sentence']}")
    if options.picture:
        draw(options.picture, curves)


if __name__ == "__main__":
    main()
