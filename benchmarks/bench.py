"""Times what matters, as ratios, and keeps a history: `make bench`.

    python benchmarks/bench.py [--record] [--quick] [--parts=step,evaluation]
    python benchmarks/bench.py --document    # docs/performance.md, from the history

What is compared is timed in turn in one process, so that ratios hold on a machine whose
seconds do not. `bench_groups.py` says what is compared.
"""

import argparse
import dataclasses
import gc
import os
import pathlib
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import bench_history
import cost_curves
from bench_covariance import covariance_group
from bench_groups import (
    QUICK,
    Group,
    Sizes,
    evaluation_group,
    experts_group,
    gradients_group,
    pool_group,
    step_group,
)
from bench_kernel import kernel_group
from timing import time_in_turn

from hdd_tf.cli.memory_allocator import keep_freed_memory
from hdd_tf.cli.tensorflow_import import add_in_one_order
from hdd_tf.errors import InputError, one_line

HERE = pathlib.Path(__file__).parent
PARTS = (
    *("step", "evaluation", "pool", "experts", "kernel", "gradients", "covariance"),
    *("memory", "curves"),
)


def timed(name: str, group: Group, rounds: int) -> dict[str, Any]:
    """Times a group; returns its entry of the record."""
    began = time.perf_counter()
    seconds = time_in_turn(group.runs, rounds)
    print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
    rounded = {run: [round(s, 5) for s in taken] for run, taken in seconds.items()}
    return {"name": name, "seconds": rounded, "ratios": group.ratios}


def peak_gib(sizes: Sizes, classes: int) -> float:
    """Returns the peak memory of a step, in a process of its own."""
    finished = subprocess.run(
        [sys.executable, HERE / "step_against_convolutions.py", "--only_step",
         f"--classes={classes}", f"--ipc={sizes.ipc}", f"--size={sizes.side}",
         f"--width={sizes.width}", f"--real_batch={sizes.real_batch}"],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    (found,) = re.findall(r"peak memory ([\d.]+) GiB", finished.stdout)
    return float(found)


def measure(sizes: Sizes, parts: Sequence[str]) -> dict[str, Any]:
    """Measures some parts.

    Args:
        sizes: How large everything is.
        parts: Names out of `PARTS`.

    Returns:
        The entries of the record that are numbers.
    """
    few = min(3, sizes.rounds)
    groups: list[tuple[str, str, int, Callable[[], Group]]] = [
        ("step", "step", sizes.rounds, lambda: step_group(sizes)),
        *(
            (
                "evaluation",
                f"evaluation, IPC {ipc}, {epochs} epochs",
                sizes.rounds,
                lambda ipc=ipc, epochs=epochs: evaluation_group(sizes, ipc, epochs),
            )
            for ipc, epochs in sizes.evaluated
        ),
        ("pool", "IDM", few, lambda: pool_group(sizes)),
        ("experts", "DANCE's experts", few, lambda: experts_group(sizes)),
        ("kernel", "M3D", few, lambda: kernel_group(sizes)),
        ("gradients", "gradient matching", few, lambda: gradients_group(sizes)),
        ("covariance", "DSDM", few, lambda: covariance_group(sizes)),
    ]
    results = []
    for part, name, rounds, make in groups:
        if part in parts:
            results.append(timed(name, make(), rounds))
            gc.collect()  # Graphs and the functions that trace them hold each other.
    counts = (sizes.classes, sizes.many_classes) if "memory" in parts else ()
    peaks = {str(count): peak_gib(sizes, count) for count in counts}
    curves = cost_curves.measure(sizes.curves) if "curves" in parts else {}
    return {"groups": results, "peak_gib": peaks, "curves": curves}


def main(words: Sequence[str] | None = None) -> int:
    """Measures, prints a table, and records it if that is asked for.

    Args:
        words: Words of the command line; None takes those of the process.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny, for tests")
    parser.add_argument("--record", action="store_true", help="append to the history")
    parser.add_argument(
        "--document", action="store_true", help="only write docs/ from the history"
    )
    parser.add_argument("--parts", default=",".join(PARTS), help="default: %(default)s")
    parser.add_argument("--rounds", type=int, help="default: 5, of the long ones 3")
    parser.add_argument("--history", type=pathlib.Path, default=HERE / "history.jsonl")
    parser.add_argument("--docs", type=pathlib.Path, default=HERE.parent / "docs")
    options = parser.parse_args(words)
    parts = options.parts.split(",")
    if unknown := sorted({*parts} - {*PARTS}):
        parser.error(f"--parts={unknown[0]}: choose from {', '.join(PARTS)}")
    if options.rounds is not None and options.rounds < 1:
        parser.error(f"--rounds={options.rounds}: give 1 or more")
    try:
        if options.document:
            records = bench_history.shown_records(options.history)
            bench_history.write_section(options.docs / "performance.md", records)
            for curves in filter(None, (record["curves"] for record in records)):
                cost_curves.draw(options.docs / "costs.png", curves)
            return 0
        folder = options.history.parent
        if options.record and not os.access(folder, os.W_OK):
            raise InputError(f"{one_line(folder)} cannot be written: give --history")
        sizes = QUICK if options.quick else Sizes()
        if options.rounds:
            sizes = dataclasses.replace(sizes, rounds=options.rounds)
        _run(sizes, parts, options)
    except InputError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    return 0


def _run(sizes: Sizes, parts: Sequence[str], options: argparse.Namespace) -> None:
    began = time.perf_counter()
    record = bench_history.new_record()
    if not record["quiet"]:
        load = record["machine"]["load_at_start"]
        print(f"load {load}: the machine is not quiet, and its numbers will not be.")
    keep_freed_memory()  # As the command does; it serves all sides.
    record |= {"quick": options.quick, "parts": list(parts), "rounds": sizes.rounds}
    record |= measure(sizes, parts)
    record["machine"]["load_at_end"] = round(os.getloadavg()[0], 2)
    record["minutes"] = round((time.perf_counter() - began) / 60, 2)
    print("", *bench_history.described(record), sep="\n")
    if options.record:
        bench_history.append(options.history, record)


if __name__ == "__main__":
    add_in_one_order()  # As the command does, in a process of its own.
    sys.exit(main())
