r"""Watches one long run: whether its memory stays flat and its iterations equally fast.

    python benchmarks/soak.py --minutes 60 --output docs/soak -- \
        --dataset=fashion_mnist --ipc=10 --iterations=1000000 --run_dir=runs/soak ...

What follows `--` are arguments of `python -m hdd_tf.main`; `--run_dir` must be among
them. The run is a process of its own, ended by SIGTERM. Written are `<output>.csv`, a
line for every sample of resident size and processor time, and `<output>.png`; the
times of iterations are read from the run's TensorBoard events. Linux only (/proc).
"""

import argparse
import csv
import os
import pathlib
import signal
import subprocess
import sys
import time
from typing import NamedTuple

import numpy as np

from hdd_tf.cli.tensorflow_import import import_quietly

PAGE, TICKS = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
COLUMNS = ("minutes", "resident_bytes", "anonymous_bytes", "processor_seconds")
# Pieces of the run over each of which processor time is averaged: samples are seconds
# apart.
SPANS = 120
MOST_GROWTH = 0.02


class Sample(NamedTuple):
    """One look at the process.

    Attributes:
        clock: Unix time.
        resident: Bytes in memory.
        anonymous: Those of them that are the process's own. The rest are pages of
            files, such as TensorFlow's code, which the system drops and reads again as
            it likes.
        processor: Seconds of processor time so far, of all threads.
    """

    clock: float
    resident: int
    anonymous: int
    processor: float


class Iterations(NamedTuple):
    """Logged iterations: number, Unix time of logging, wall seconds for one."""

    number: np.ndarray
    clock: np.ndarray
    seconds: np.ndarray


def sample(process: int) -> Sample | None:
    """Returns what /proc says of a process; None where it has ended."""
    try:
        pages = pathlib.Path(f"/proc/{process}/statm").read_text().split()
        stat = pathlib.Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()  # The name before may hold blanks.
    ticks = int(fields[11]) + int(fields[12])  # utime and stime.
    resident, of_files = int(pages[1]) * PAGE, int(pages[2]) * PAGE
    return Sample(time.time(), resident, resident - of_files, ticks / TICKS)


def watch(
    arguments: list[str], minutes: float, every: float, path: pathlib.Path
) -> list[Sample]:
    """Runs the command for so long, and returns the samples taken every few seconds.

    They are written to a CSV file as they come.
    """
    samples: list[Sample] = []
    process = subprocess.Popen([sys.executable, "-m", "hdd_tf.main", *arguments])
    end = time.monotonic() + 60 * minutes
    try:
        with path.open("w", newline="", buffering=1) as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            while process.poll() is None and time.monotonic() < end:
                if (seen := sample(process.pid)) and seen.resident:
                    samples.append(seen)
                    passed = (seen.clock - samples[0].clock) / 60
                    table.writerow([f"{passed:.3f}", *seen[1:]])
                time.sleep(every)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait()
    print(f"exit code {code}")
    return samples


def logged_iterations(directory: pathlib.Path, since: float) -> Iterations:
    """Reads `seconds_per_iteration` as written after a Unix time, by its iteration."""
    import_quietly()
    from tensorboard.backend.event_processing import event_file_loader
    from tensorboard.util import tensor_util

    points = {
        event.step: (
            event.wall_time,
            float(tensor_util.make_ndarray(value.tensor)),
        )
        for path in sorted(directory.glob("events.out.tfevents.*"))
        for event in event_file_loader.EventFileLoader(str(path)).Load()
        for value in event.summary.value
        if value.tag == "seconds_per_iteration" and event.wall_time > since
    }
    if len(points) < 8:
        raise SystemExit(f"{directory} tells of {len(points)} iterations: too few.")
    number = np.array(sorted(points))
    return Iterations(number, *np.array([points[n] for n in number]).T)


def processor_per_iteration(
    samples: list[Sample], done: Iterations
) -> tuple[np.ndarray, np.ndarray]:
    """Returns ends `[spans]` and processor seconds of one iteration `[spans]`.

    Checkpoints, pictures, scores and analyses between iterations are counted in, for
    nothing outside the process can tell them apart.
    """
    clock, _, _, processor = np.array(samples).T
    edges = np.unique(np.linspace(0, len(done.number) - 1, SPANS + 1).astype(int))
    used = np.interp(done.clock[edges], clock, processor)
    return done.number[edges][1:], np.diff(used) / np.diff(done.number[edges])


def quarters_ratio(number: np.ndarray, values: np.ndarray) -> float:
    """Returns the last quarter's median over the second's; the first warms up."""
    second, third, last = np.quantile(number, (0.25, 0.5, 0.75))
    return float(
        np.median(values[number > last])
        / np.median(values[(number > second) & (number <= third)])
    )


def spread(minutes: np.ndarray, gibibytes: np.ndarray) -> str:
    """Says how far a size strays from its median, and whether it grows.

    What grows is told by the largest sizes: dips are memory that was handed back and
    is taken again.
    """
    middle = float(np.median(gibibytes))
    lowest, highest = gibibytes.min() / middle - 1, gibibytes.max() / middle - 1
    share = np.mean(np.abs(gibibytes / middle - 1) <= MOST_GROWTH)
    first, last = np.quantile(minutes, (0.25, 0.75))
    growth = gibibytes[minutes >= last].max() / gibibytes[minutes <= first].max() - 1
    verdict = "flat" if max(growth, highest) <= MOST_GROWTH else "NOT flat"
    return (
        f"{middle:.3f} GiB, {lowest:+.2%} to {highest:+.2%}, {share:.1%} of the time "
        f"within {MOST_GROWTH:.0%}; largest of the last quarter over the first's "
        f"{growth:+.2%}: {verdict}"
    )


def draw(
    path: pathlib.Path,
    minutes: np.ndarray,
    resident: np.ndarray,
    anonymous: np.ndarray,
    warm: np.ndarray,
    done: Iterations,
    processor: tuple[np.ndarray, np.ndarray],
) -> None:
    """Draws resident size (GiB) over minutes above seconds over iterations."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((7.0, 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2)
    above.plot(minutes, resident, linewidth=1, label="all")
    above.plot(minutes, anonymous, linewidth=1, label="without pages of files")
    middle = float(np.median(anonymous[warm]))
    above.fill_between(
        minutes[warm], 0.98 * middle, 1.02 * middle, alpha=0.2, label="± 2 %"
    )
    above.set(xlabel="minutes", ylabel="resident (GiB)", ylim=(0, None))
    above.legend(loc="lower right")
    below.plot(done.number, done.seconds, ".", markersize=1, label="wall, step alone")
    below.plot(*processor, linewidth=1, label="processor, all that recurs")
    most = 1.5 * max(np.quantile(done.seconds, 0.98), processor[1].max())
    below.set(xlabel="iteration", ylabel="seconds per iteration", ylim=(0, most))
    below.legend(loc="upper right")
    figure.savefig(path, dpi=80)


def main() -> None:
    """Runs, writes the table and the picture, and prints the verdict."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=5.0, help="seconds")
    parser.add_argument("--warm_up", type=float, default=5.0, help="minutes")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("command", nargs="+", help="after --: arguments of the run")
    options = parser.parse_args()
    (run,) = (a[10:] for a in options.command if a.startswith("--run_dir="))
    began, table = time.time(), options.output.with_suffix(".csv")
    samples = watch(options.command, options.minutes, options.every, table)
    done = logged_iterations(pathlib.Path(run) / "tensorboard", began)
    processor = processor_per_iteration(samples, done)
    minutes = np.array([(seen.clock - began) / 60 for seen in samples])
    resident, anonymous = np.array([seen[1:3] for seen in samples]).T / 2**30
    # Networks trained before the first iteration are no part of what recurs.
    warm = minutes > (done.clock[0] - began) / 60 + options.warm_up
    path = options.output.with_suffix(".png")
    draw(path, minutes, resident, anonymous, warm, done, processor)
    print(f"{done.number[-1]} iterations in {minutes[-1]:.1f} minutes")
    print(f"resident {spread(minutes[warm], resident[warm])}")
    print(f"without pages of files {spread(minutes[warm], anonymous[warm])}")
    print(
        "last quarter over second: "
        f"wall {quarters_ratio(done.number, done.seconds):.3f} "
        f"(median {np.median(done.seconds):.4f} s), "
        f"processor {quarters_ratio(*processor):.3f} "
        f"(median {np.median(processor[1]):.4f} s)"
    )


if __name__ == "__main__":
    main()
