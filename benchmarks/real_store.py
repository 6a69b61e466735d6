"""What an iteration costs with real images on disk, as a ratio to memory.

    python benchmarks/real_store.py [--classes 10 --side 32 --width 32] [--cold]

All steps have the same random images and are timed in turn in one process. `disk` has
them in the system's cache of pages. With `--cold` three more have them out of it before
every iteration, but for what the iteration before has asked for: `cold` as it is, with
rows asked for an iteration ahead; `as drawn`, asked for when they are drawn; and `not
asked`. Where networks train on batches too (`--objective=idm --batches`), `batches as
drawn` asks ahead for the images that are matched, and no others. CPU seconds are of all
threads together.
"""

import argparse
import dataclasses
import os
import pathlib
import tempfile
import time
from typing import Any

import numpy as np
import tensorflow as tf
from timing import Run, ratio
from workloads import matched_network, random_dataset, step_run

from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset
from hdd_tf.data.stored_images import StoredImages
from hdd_tf.data_cache.entry import positions_of
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.objectives.building import build_step


def on_disk(
    dataset: Dataset, path: pathlib.Path, kind: type[StoredImages] = StoredImages
) -> Dataset:
    """Returns a data set whose training images are in a file, class after class."""
    training = dataset.training
    order = np.argsort(training.labels, kind="stable")
    path.write_bytes(np.ascontiguousarray(training.images[order]).data)
    stored = kind(path, training.images.shape, positions_of(training.labels))
    return dataclasses.replace(
        dataset, training=dataclasses.replace(training, images=stored)
    )


class AskedWhenDrawn(StoredImages):
    """Rows are asked for when they are drawn: those of the next draw are not."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.noted: set[str] = set()  # Streams that have asked in this iteration.

    def ask_ahead(self, rows: np.ndarray, stream: str = "") -> None:
        """Asks for the first request of a stream, which is of its own rows."""
        if stream not in self.noted:
            self.noted.add(stream)
            super().ask_ahead(rows, stream)


class BatchesAsDrawn(AskedWhenDrawn):
    """Those of the next draw are asked for, but for batches that networks train on."""

    def ask_ahead(self, rows: np.ndarray, stream: str = "") -> None:
        """Asks for every request of images that are matched."""
        if not stream:
            self.noted.discard(stream)
        super().ask_ahead(rows, stream)


class NotAsked(StoredImages):
    """Rows are read when they are used."""

    def ask_ahead(self, rows: np.ndarray, stream: str = "") -> None:
        """Asks for nothing."""


COLD: dict[str, type[StoredImages]] = {
    "cold": StoredImages,
    "batches as drawn": BatchesAsDrawn,
    "as drawn": AskedWhenDrawn,
    "not asked": NotAsked,
}


def evicted(path: pathlib.Path) -> None:
    """Has the system drop the pages of a file from its cache."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fdatasync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def main() -> None:
    """Measures, and prints the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--real_batch", type=int, default=64)
    parser.add_argument("--per_class", type=int, default=512)
    parser.add_argument("--objective", default="dm")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--place", help="where the files are; a disk, not memory")
    parser.add_argument("--cold", action="store_true", help="also out of the cache")
    parser.add_argument("--batches", action="store_true", help="see above")
    given = parser.parse_args()
    shape = (given.side, given.side, 3)
    config = Config(
        dataset="arrays",
        objective=given.objective,
        width=given.width,
        real_batch=given.real_batch,
    )
    spent: dict[str, list[float]] = {}
    taken: dict[str, list[float]] = {}

    def timed(name: str, run: Run) -> None:
        began, cpu = time.perf_counter(), time.process_time()
        run()
        taken.setdefault(name, []).append(time.perf_counter() - began)
        spent.setdefault(name, []).append(time.process_time() - cpu)

    with tempfile.TemporaryDirectory(dir=given.place) as place:
        data = random_dataset(given.classes, given.per_class, shape)
        paths = {name: pathlib.Path(place) / name for name in ("disk", *COLD)}
        kinds = {"memory": data, "disk": on_disk(data, paths["disk"])}
        for name, kind in COLD.items() if given.cold else ():
            if kind is BatchesAsDrawn and not given.batches:
                continue
            kinds[name] = on_disk(data, paths[name], kind)
        network = matched_network(config, shape, given.classes)
        strategy = tf.distribute.OneDeviceStrategy("CPU:0")
        runs = {
            name: step_run(
                build_step(MethodContext(config, each, network, strategy, dry_run=True))
            )
            for name, each in kinds.items()
        }
        for run in runs.values():
            run()

        def timed_after_another(name: str) -> None:
            if name in COLD:
                evicted(paths[name])
            for run in (lambda: runs[name](), lambda: timed(name, runs[name])):
                images = kinds[name].training.images
                if isinstance(images, AskedWhenDrawn):
                    images.noted.clear()
                run()  # The first one asks for the rows of the one that is timed.

        for number in range(given.rounds):
            names = list(runs) if number % 2 == 0 else list(reversed(runs))
            for name in names:
                timed_after_another(name)
    for what, found in (("wall", taken), ("CPU", spent)):
        print(f"{what}: {np.median(found['memory']):.3f} s in memory")
        for name in list(runs)[1:]:
            median, low, high = ratio(found[name], found["memory"])
            print(f"    {name} {median:.3f} times ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
