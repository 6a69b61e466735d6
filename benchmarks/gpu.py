"""Checks and times the program on a GPU, as far as the minutes given go.

    python benchmarks/gpu.py --output=DIR [--minutes=9] [--stages=check,time,...]
    python benchmarks/gpu.py --output=DIR --dry --objectives=dm      (on any CPU)

Stages: `check` (the card; values, gradients and repetition against the CPU), `time`
(iterations in every precision, with and without XLA), `torch` (DM's iteration in
PyTorch on the same card), `roofline` (measured peaks, and the floors that follow) and
`cells` (published cells at full budget). Each has its share of the time and a process
of its own, so that one that fails or hangs costs no other; each entry is in
DIR/gpu.json as soon as it is known. docs/gpu.md says what to look for.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import time

from gpu_cells import FLAGS, run_cells
from gpu_checks import check
from gpu_plan import ITERATIVE, USUAL, Plan, Stage, plan_of, read_results
from gpu_summary import out_of_limits, ratios
from gpu_timing import roofline, time_steps, time_torch

# Share of the time that a stage has of what is left when it begins.
SHARES = {"check": 0.3, "time": 0.45, "torch": 0.25, "roofline": 0.25, "cells": 1.0}
# What a process may take beyond its stage's time, to end what it has begun.
_GRACE = 45


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def main(words: list[str] | None = None) -> int:
    """Runs the stages; see the module.

    Args:
        words: Arguments of the command line; None for the process'.

    Returns:
        The exit code: 1 if a stage failed, was cut off or found something wrong.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--stages", type=_names, default=tuple(SHARES))
    parser.add_argument("--objectives", type=_names, default=USUAL)
    parser.add_argument(
        "--cells", type=_names, help="names of flag files, in the order of their runs",
        default=("cifar10_ipc10", "fashion_mnist_ipc10", "cifar10_ipc1"),
    )  # fmt: skip
    parser.add_argument("--data_dir", default="", help="TFDS directory of the cells")
    parser.add_argument("--device", default="GPU:0")
    parser.add_argument("--dry", action="store_true", help="tiny shapes, on the CPU")
    parser.add_argument("--in_process", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    for given, known in ((options.stages, SHARES), (options.objectives, ITERATIVE)):
        if unknown := [name for name in given if name not in known]:
            parser.error(f"{unknown[0]} is none of {', '.join(known)}")
    for cell in options.cells:
        if not (FLAGS / f"{cell}.cfg").is_file():
            parser.error(f"--cells: there is no flag file {FLAGS / cell}.cfg")
    options.output = options.output.resolve()
    options.output.mkdir(parents=True, exist_ok=True)
    plan = plan_of(
        options.dry,
        options.device,
        options.objectives,
        options.cells,
        str(pathlib.Path(options.data_dir).resolve()) if options.data_dir else "",
    )
    end, failed = time.monotonic() + 60 * options.minutes, []
    for name in options.stages:
        limit = max(0.0, SHARES[name] * (end - time.monotonic()))
        if options.dry or options.in_process:
            # In a process of its own, the parent has given it its share.
            run_stage(name, plan, options.output, 60 * options.minutes)
        elif not in_its_process(name, options, limit):
            failed.append(name)
    if options.in_process:
        return 0
    results = read_results(options.output / "gpu.json")
    wrong = out_of_limits(results)
    stage = Stage("summary", options.output / "gpu.json", 0.0)
    stage.note("ratios", ratios(results))
    stage.note("stages that failed", failed)
    stage.note("out of their limits", wrong)
    return 1 if failed or wrong else 0


def run_stage(name: str, plan: Plan, output: pathlib.Path, limit: float) -> None:
    """Runs one stage in this process.

    Args:
        name: Name of the stage.
        plan: What is measured.
        output: Directory of the results.
        limit: Seconds that the stage has.
    """
    stage = Stage(name, output / "gpu.json", limit)
    if name == "cells":
        run_cells(plan, stage, output / "runs")
        return
    steps = {"check": check, "time": time_steps, "torch": time_torch}
    (steps | {"roofline": roofline})[name](plan, stage)


def in_its_process(name: str, options: argparse.Namespace, limit: float) -> bool:
    """Runs one stage in a process of its own, and returns whether it ended well."""
    command = [
        sys.executable, __file__, "--in_process", f"--stages={name}",
        f"--output={options.output}", f"--minutes={limit / 60}",
        f"--objectives={','.join(options.objectives)}",
        f"--cells={','.join(options.cells)}", f"--data_dir={options.data_dir}",
        f"--device={options.device}",
    ]  # fmt: skip
    # Stages, PyTorch and the cells share the card's memory.
    own = os.environ | {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    try:
        done = subprocess.run(command, env=own, timeout=limit + _GRACE)
        return done.returncode == 0
    except subprocess.TimeoutExpired:
        print(f"{name}: cut off after {limit + _GRACE:.0f} s", flush=True)
        return False


if __name__ == "__main__":
    sys.exit(main())
