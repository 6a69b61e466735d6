"""What an iteration costs with real images on disk, as a ratio to memory.

    python benchmarks/real_store.py [--classes 10 --side 32 --width 32]

Both steps have the same random images, the ones on disk in the system's cache of pages,
and are timed in turn in one process. CPU seconds are of all threads together.
"""

import argparse
import dataclasses
import pathlib
import tempfile
import time

import numpy as np
import tensorflow as tf
from timing import Run, ratio, time_in_turn
from workloads import matched_network, random_dataset, step_run

from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset
from hdd_tf.data.stored_images import StoredImages
from hdd_tf.data_cache.entry import positions_of
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.objectives.registry import build_step


def on_disk(dataset: Dataset, path: pathlib.Path) -> Dataset:
    """Returns a data set whose training images are in a file, class after class."""
    training = dataset.training
    order = np.argsort(training.labels, kind="stable")
    path.write_bytes(np.ascontiguousarray(training.images[order]).data)
    stored = StoredImages(path, training.images.shape, positions_of(training.labels))
    return dataclasses.replace(
        dataset, training=dataclasses.replace(training, images=stored)
    )


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
    given = parser.parse_args()
    shape = (given.side, given.side, 3)
    config = Config(
        dataset="arrays",
        objective=given.objective,
        width=given.width,
        real_batch=given.real_batch,
    )
    spent: dict[str, list[float]] = {"memory": [], "disk": []}

    def counted(name: str, run: Run) -> Run:
        def timed() -> None:
            began = time.process_time()
            run()
            spent[name].append(time.process_time() - began)

        return timed

    with tempfile.TemporaryDirectory() as place:
        data = random_dataset(given.classes, given.per_class, shape)
        kinds = {"memory": data, "disk": on_disk(data, pathlib.Path(place) / "images")}
        network = matched_network(config, shape, given.classes)
        strategy = tf.distribute.OneDeviceStrategy("CPU:0")
        runs = {
            name: counted(
                name,
                step_run(
                    build_step(
                        MethodContext(config, each, network, strategy, dry_run=True)
                    )
                ),
            )
            for name, each in kinds.items()
        }
        taken = time_in_turn(runs, given.rounds)
    cpu = {name: values[-given.rounds :] for name, values in spent.items()}
    for what, found in (("wall", taken), ("CPU", cpu)):
        median, low, high = ratio(found["disk"], found["memory"])
        seconds = np.median(found["memory"])
        print(
            f"{what}: disk {median:.3f} times memory ({low:.3f} to {high:.3f}), "
            f"{seconds:.3f} s in memory"
        )


if __name__ == "__main__":
    main()
