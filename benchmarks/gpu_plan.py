"""What the stages of `gpu.py` share: the plan of a machine, its time, its results."""

import dataclasses
import json
import pathlib
import time
from typing import Any

from hdd_tf.config import Config
from hdd_tf.methods.registry import METHODS

# Methods whose iterations run on the device.
ITERATIVE = tuple(name for name, traits in METHODS.items() if not traits.is_selection)
# Those that fit into the time unless others are asked for.
USUAL = ("dm", "idm", "dance", "dc")
# Those that methods are published in.
GEOMETRIES = ("hyperbolic", "euclidean")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured, and on what.

    Attributes:
        device: TensorFlow's name of the device, such as `GPU:0`.
        dry: Whether this is a trial on a CPU, with shapes too small to mean anything.
        objectives: Methods that are checked and timed.
        geometries: Geometries that are checked, with methods that have them.
        precisions: Precisions that are checked and timed.
        ipcs: Images per class, the most important first.
        compilations: Values of `--jit_compile` that are timed.
        image_shape: `(side, side, channels)` of the timed steps.
        classes: Number of classes of the timed steps.
        width: Channels of the timed networks' blocks.
        depth: Number of the timed networks' blocks.
        real_batch: Real images of each class; 0 for the published number.
        checked_depth: Blocks of the network of the checks against the CPU.
        checked_width: Channels of its blocks.
        checked_dsa: Augmentation of these checks.
        repeats: Iterations of the comparison of two runs.
        product: Rows of the square matrices whose product is timed.
        copied: Number of float32 values whose copy is timed.
        cells: Names of flag files, without `.cfg`, in the order of their runs.
        data_dir: TFDS directory of the cells.
    """

    device: str
    dry: bool
    objectives: tuple[str, ...] = USUAL
    geometries: tuple[str, ...] = GEOMETRIES
    precisions: tuple[str, ...] = ("tf32", "float32", "bfloat16")
    ipcs: tuple[int, ...] = (10, 1, 50)
    compilations: tuple[str, ...] = ("off", "on")
    image_shape: tuple[int, int, int] = (32, 32, 3)
    classes: int = 10
    width: int = 128
    depth: int = 3
    real_batch: int = 0
    checked_depth: int = 2
    checked_width: int = 32
    checked_dsa: str = Config(dataset="arrays").dsa
    repeats: int = 20
    product: int = 8192
    copied: int = 2**28
    cells: tuple[str, ...] = ()
    data_dir: str = ""

    def real_images(self, objective: str, ipc: int) -> int:
        """Returns the real images of each class in an iteration of a timed step."""
        if self.real_batch:
            return self.real_batch
        budget = METHODS[objective].budget
        if budget:
            return budget("cifar10", ipc, "hyperbolic").real_batch
        return Config(dataset="arrays", objective=objective).real_batch


def plan_of(
    dry: bool,
    device: str,
    objectives: tuple[str, ...],
    cells: tuple[str, ...],
    data_dir: str,
) -> Plan:
    """Returns the plan of a card, or that of a dry run on the CPU."""
    chosen: dict[str, Any] = {"cells": cells, "data_dir": data_dir}
    chosen["objectives"] = objectives or USUAL
    if not dry:
        return Plan(device=device, dry=False, **chosen)
    return Plan(
        device="CPU:0", dry=True, geometries=GEOMETRIES[:1], precisions=("float32",),
        ipcs=(1,), compilations=("off",), checked_depth=1, checked_width=4,
        checked_dsa="flip", image_shape=(8, 8, 3), classes=2, width=4, depth=1,
        real_batch=4, repeats=3, product=64, copied=2**12, **chosen,
    )  # fmt: skip


class Stage:
    """A stage's time and its part of the results, which each entry writes to the file.

    Args:
        name: Key of the results.
        path: File of all stages' results, JSON.
        seconds: Time that the stage has.

    Attributes:
        path: The file.
    """

    def __init__(self, name: str, path: pathlib.Path, seconds: float) -> None:
        self._name = name
        self.path = path
        self._end = time.monotonic() + seconds
        self._found: dict[str, Any] = {}
        self._write()

    @property
    def left(self) -> float:
        """Seconds that are left, negative when they are over."""
        return self._end - time.monotonic()

    def note(self, name: str, value: Any) -> None:
        """Adds an entry, writes the file, and prints a line.

        Args:
            name: Key within the stage.
            value: What JSON can hold.
        """
        self._found[name] = value
        self._write()
        print(f"{self._name}: {name}: {json.dumps(value)}", flush=True)

    def is_over(self, before: str) -> bool:
        """Returns whether the time is over, and notes what is left out if it is.

        Args:
            before: What would come next.
        """
        if self.left > 0:
            return False
        self.note("left out for want of time, from here on", before)
        return True

    def _write(self) -> None:
        results = read_results(self.path) | {self._name: self._found}
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
        new.replace(self.path)


def read_results(path: pathlib.Path) -> dict[str, Any]:
    """Returns the results of the stages so far; empty if there are none."""
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}
