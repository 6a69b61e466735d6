"""Draws how far real and synthetic images lie from the root, of finished runs.

    python benchmarks/radius_picture.py RUN [RUN ...] --output=docs/radius.png

Radii are those of a run's analysis, as TensorBoard's projector shows them.
"""

import argparse
import csv
import pathlib

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.titles import set_title
from hdd_tf.config import from_json
from hdd_tf.files import atomic
from hdd_tf.report.plot import picture_file

BINS = 20


def radii(run: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns the hyperbolic radii of the images of each kind, in curvature's unit."""
    with (run / "tensorboard/projector/features.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    kinds = dict.fromkeys(row["kind"] for row in rows)
    return {
        kind: np.array([float(row["radius"]) for row in rows if row["kind"] == kind])
        for kind in kinds
    }


def main() -> None:
    """Draws a panel for each run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=pathlib.Path, metavar="RUN")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    options = parser.parse_args()
    found = {run: radii(run) for run in options.runs}
    every = np.concatenate(
        [each for kinds in found.values() for each in kinds.values()]
    )
    edges = np.linspace(every.min(), every.max(), BINS + 1)
    figure = Figure((8.0, 2.4 * len(found)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(found), sharex=True, squeeze=False)[:, 0]
    for axes, (run, kinds) in zip(panels, found.items(), strict=True):
        record = RunDirectory(run).read_config()
        config = from_json(record["config"])
        title = set_title(config, record["data"]["name"], config.iterations)
        axes.set_title(title, fontsize="medium")
        for kind, values in kinds.items():
            label = f"{len(values):,} {kind}, median {np.median(values):.2f}"
            axes.hist(values, edges, density=True, alpha=0.6, label=label)
        axes.set_ylabel("density")
        axes.legend(fontsize="small")
    panels[-1].set_xlabel("hyperbolic radius, in units of 1 / sqrt(-K)")
    atomic.write_bytes(options.output, picture_file(figure, "png"))


if __name__ == "__main__":
    main()
