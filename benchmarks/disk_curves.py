"""What an iteration costs with real images on disk, as classes and pixels grow.

    python benchmarks/disk_curves.py [--picture=disk_curves.png]

Each row is a process of its own, so that the peak of memory is the row's. The images
are random, in a file that is written in parts and read as `--real_store=disk` reads
them. A forward pass has at most `--max_images` images, which bounds what a row takes.
CPU seconds are of all threads together, and what a row has at the start is given beside
its peak: Python and TensorFlow.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from cost_curves import cpu_seconds, fit
from workloads import matched_network, step_run

from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset, LabelledImages
from hdd_tf.data.memory import peak_memory
from hdd_tf.data.stored_images import StoredImages
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.objectives.building import build_step

_CHUNK = 2**24


def stored_dataset(
    path: pathlib.Path, classes: int, per_class: int, side: int
) -> Dataset:
    """Writes random images, class after class, and returns them as a data set.

    Args:
        path: The file to write.
        classes: Number of classes.
        per_class: Number of images of each class.
        side: Height and width of the images.
    """
    shape = (classes * per_class, side, side, 3)
    rng, left = np.random.default_rng(0), int(np.prod(shape, dtype=np.int64))
    with path.open("xb") as file:
        while left:
            size = min(_CHUNK, left)
            file.write(rng.bytes(size))
            left -= size
    labels = np.repeat(np.arange(classes), per_class)
    training = LabelledImages(StoredImages(path, shape, np.arange(len(labels))), labels)
    names = tuple(map(str, range(classes)))
    statistics = (0.5,) * 3, (0.29,) * 3
    none = training.take(np.arange(0))
    return Dataset("arrays", training, None, none, names, *statistics)


def measure_row(given: argparse.Namespace, classes: int, side: int) -> dict[str, float]:
    """Returns CPU seconds of an iteration, and bytes of memory, of this process."""
    before = peak_memory()
    config = Config(
        dataset="arrays",
        objective=given.objective,
        ipc=given.ipc,
        width=given.width,
        real_batch=given.real,
        max_images_per_forward=given.max_images,
    )
    with tempfile.TemporaryDirectory(dir=given.place) as place:
        path = pathlib.Path(place) / "images"
        data = stored_dataset(path, classes, 2 * given.real, side)
        network = matched_network(config, (side, side, 3), classes)
        strategy = tf.distribute.OneDeviceStrategy("CPU:0")
        context = MethodContext(config, data, network, strategy, dry_run=True)
        seconds = cpu_seconds(step_run(build_step(context)), repeats=given.repeats)
    return {"seconds": seconds, "peak": peak_memory(), "start": before}


def measure(words: Sequence[str], rows: Sequence[tuple[int, int]]) -> list[Any]:
    """Measures rows (classes, side), each in a process of its own."""
    print("classes  side  CPU s/iteration  peak memory (MiB)  of it at the start")
    found = []
    for classes, side in rows:
        command = [sys.executable, __file__, *words, f"--row={classes},{side}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        row = json.loads(done.stdout.splitlines()[-1])
        found.append(row)
        print(
            f"{classes:7}  {side:4}  {row['seconds']:15.2f}  "
            f"{row['peak'] / 2**20:17.0f}  {row['start'] / 2**20:18.0f}",
            flush=True,
        )
    return found


def draw(
    path: pathlib.Path, curves: dict[str, tuple[Sequence[int], list[Any]]]
) -> None:
    """Draws seconds and memory above what grows.

    Args:
        path: PNG file.
        curves: Values and rows, by what grows.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    figure = Figure((3.6 * len(curves), 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(2, len(curves), sharex="col", squeeze=False)
    for column, (name, (values, rows)) in zip(grid.T, curves.items(), strict=True):
        for axes, key, unit in zip(
            column, ("seconds", "peak"), (1.0, 2.0**20), strict=True
        ):
            axes.plot(values, [row[key] / unit for row in rows], "o-")
            axes.set(xscale="log")
            axes.set_xticks(values, [f"{value:,}" for value in values], minor=False)
            axes.set_xticks([], minor=True)
            axes.grid(alpha=0.3)
        column[0].set(yscale="log")
        column[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        column[0].yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.4g}"))
        column[0].yaxis.set_minor_formatter(NullFormatter())
        column[1].set_ylim(bottom=0)
        column[1].set_xlabel(name)
    grid[0, 0].set_ylabel("CPU s an iteration")
    grid[1, 0].set_ylabel("peak memory (MiB)")
    figure.savefig(path, dpi=80)


def main() -> None:
    """Measures both curves, prints them with their lines, and draws them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--classes", type=int, nargs="+", default=[10, 30, 100, 300, 1000]
    )
    parser.add_argument("--sides", type=int, nargs="+", default=[32, 64, 128, 224])
    parser.add_argument("--real", type=int, default=16, help="real images of a class")
    parser.add_argument("--ipc", type=int, default=1)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--max_images", type=int, default=512)
    parser.add_argument("--base_side", type=int, default=64, help="of all classes")
    parser.add_argument("--base_classes", type=int, default=10, help="of all sides")
    parser.add_argument("--objective", default="dm")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--place", help="where the files are")
    parser.add_argument("--picture", type=pathlib.Path, help="PNG file to write")
    parser.add_argument("--row", help="classes,side: measure these in this process")
    given = parser.parse_args()
    if given.row:
        print(json.dumps(measure_row(given, *map(int, given.row.split(",")))))
        return
    words = sys.argv[1:]
    of_classes = measure(words, [(n, given.base_side) for n in given.classes])
    of_sides = measure(words, [(given.base_classes, side) for side in given.sides])
    for unit, values, rows in (
        ("class", given.classes, of_classes),
        ("pixel", [side * side for side in given.sides], of_sides),
    ):
        for key, what in (("seconds", "CPU s"), ("peak", "bytes")):
            fixed, slope, error = fit(values, [row[key] for row in rows])
            print(
                f"{fixed:.3g} + {slope:.3g} {what} a {unit}; off by {error:.0%} at most"
            )
    if given.picture:
        curves = {
            f"classes of {given.base_side}x{given.base_side} images": of_classes,
            f"side of the images of {given.base_classes} classes": of_sides,
        }
        values = given.classes, given.sides
        draw(
            given.picture,
            {
                name: (v, rows)
                for v, (name, rows) in zip(values, curves.items(), strict=True)
            },
        )


if __name__ == "__main__":
    main()
