"""Compares geometries of DM by pairs of runs of the same seed: test accuracy and rate.

    python benchmarks/geometry_pairs.py --place /tmp/pairs --data_dir DIR \
        [--dataset=cifar10] [--ipc=10] [--arms dm hdd ...]

Each arm (`ARMS`) runs at each of its image learning rates with the first seed, and a
validation split of the training images chooses the rate. Then the other seeds run at
that rate. Test accuracies are read at the chosen rates alone. Differences are those of
the same seed: its initial images, networks, batches and augmentations. Runs that are
finished are not repeated, so the command can be stopped, and asked for more.
"""

import argparse
import json
import math
import pathlib
import statistics
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple


class Arm(NamedTuple):
    """Runs that differ in the image learning rate and the seed alone.

    Attributes:
        flags: Flags of the command.
        twin: Name of the arm that it is compared with; empty for none.
        rates: Image learning rates, of which validation chooses.
        may_revisit: Whether it may have a bank of real images.
    """

    flags: tuple[str, ...]
    twin: str = ""
    rates: tuple[float, ...] = (1.0, 0.3)
    may_revisit: bool = True


_UNSQUARED = "--geometry=euclidean_unsquared"
_HYPERBOLIC = "--geometry=hyperbolic"
_BLOCKS = "--matched_maps=blocks"
_FREE = (_HYPERBOLIC, "--max_tangent_norm=0")
# For a radius of 1 at width 32.
_PRODUCT = (
    "--flagfile=flags/geometries/product.cfg",
    "--curvature=-0.0062",
    "--spherical_curvature=0.0062",
)
ARMS = {
    "dm": Arm(("--geometry=euclidean",), rates=(1.0, 0.3, 0.1)),
    "unsquared": Arm((_UNSQUARED,), "dm"),
    "hdd": Arm((_HYPERBOLIC,), "unsquared"),
    "free_1/4": Arm((*_FREE, "--curvature=-1/4"), "unsquared"),
    "free_1": Arm((*_FREE, "--curvature=-1"), "unsquared"),
    "free_4": Arm((*_FREE, "--curvature=-4"), "unsquared"),
    # Of width 32; see flags/geometries/root_weighted.cfg.
    "root": Arm(
        ("--flagfile=flags/geometries/root_weighted.cfg", "--curvature=-0.014"),
        "unsquared",
    ),
    # A bank and learnt curvatures do not go together.
    "product": Arm((*_PRODUCT, "--product_curvature_lr=0"), "unsquared"),
    "product_learnt": Arm(_PRODUCT, "unsquared", may_revisit=False),
    "blocks_unsquared": Arm((_BLOCKS, _UNSQUARED), "unsquared"),
    "blocks_hdd": Arm((_BLOCKS, _HYPERBOLIC), "blocks_unsquared"),
    "blocks_dm": Arm((_BLOCKS, "--geometry=euclidean"), "dm"),
}
_WIDTH = 32


def settings(arguments: argparse.Namespace) -> list[str]:
    """Returns the flags that all arms share."""
    name = arguments.dataset.removesuffix("_cropped")
    return [
        f"--flagfile=flags/{name}_ipc{arguments.ipc}.cfg",
        f"--data_dir={arguments.data_dir}",
        f"--width={_WIDTH}",
        f"--iterations={arguments.iterations}",
        f"--real_batch={arguments.real_batch}",
        f"--real_bank_size={arguments.bank}",
        f"--num_eval={arguments.networks}",
        f"--eval_epochs={arguments.epochs}",
        "--validation_fraction=0.1",
        f"--eval_every={arguments.iterations}",
        "--select=best_validation",
        "--noanalysis",
        "--noprogress",
        "--picture_every=0",
        *(f"--{flag}" for flag in arguments.flags),
    ]


def run(arguments: argparse.Namespace, name: str, rate: float, seed: int) -> Any:
    """Runs one seed of an arm, or reads what it gave.

    Returns:
        The contents of `result.json`.
    """
    cell = f"{arguments.dataset}_ipc{arguments.ipc}"
    place = arguments.place / cell / name.replace("/", "_") / f"rate{rate:g}_seed{seed}"
    if not (place / "result.json").exists():
        # TensorFlow is imported only if something is to be computed.
        from hdd_tf.arguments.command_line import parse_command_line
        from hdd_tf.running.experiments import run_experiments

        words = [*settings(arguments), *ARMS[name].flags, f"--image_lr={rate}"]
        words += [f"--seed={seed}", f"--run_dir={place}"]
        run_experiments(parse_command_line(["hdd-tf", *words]))
    return json.loads((place / "result.json").read_text("utf-8"))


def with_error(values: Sequence[float]) -> str:
    """Returns a mean and its standard error; without error for a single value."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return f"{mean:.2f}"
    error = statistics.stdev(values) / math.sqrt(len(values))
    return f"{mean:.2f} ± {error:.2f}"


def table(
    accuracies: dict[str, list[float]], rates: dict[str, float], seeds: int
) -> list[str]:
    """Returns the lines of a Markdown table.

    Args:
        accuracies: Test accuracies in percent of each arm, by seed.
        rates: Chosen rate of each arm.
        seeds: Number of seeds.
    """
    lines = [
        f"| arm | rate | test accuracy (%), {seeds} seeds | twin | minus the twin |",
        "|---|---|---|---|---|",
    ]
    for name, values in accuracies.items():
        twin, difference = ARMS[name].twin, ""
        if twin in accuracies:
            pairs = zip(values, accuracies[twin], strict=True)
            difference = with_error([own - other for own, other in pairs])
        shown = with_error(values)
        lines.append(f"| {name} | {rates[name]:g} | {shown} | {twin} | {difference} |")
    return lines


def main() -> None:
    """Runs what is missing, and prints the table after every arm."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--place", type=pathlib.Path, required=True)
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--dataset", default="fashion_mnist")
    parser.add_argument("--ipc", type=int, default=1)
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=[])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument(
        "--bank", type=int, default=20, help="draws of real images; 0: new ones"
    )
    parser.add_argument("--real_batch", type=int, default=64)
    parser.add_argument(
        "--rates", type=float, nargs="*", default=[], help="more rates, of all arms"
    )
    parser.add_argument("--networks", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--flags", nargs="*", default=[], help="settings of all arms")
    arguments = parser.parse_args()
    accuracies: dict[str, list[float]] = {}
    rates: dict[str, float] = {}
    every = [n for n, arm in ARMS.items() if arm.may_revisit or not arguments.bank]
    for name in arguments.arms or every:
        validation = {}
        for rate in sorted({*ARMS[name].rates, *arguments.rates}, reverse=True):
            result = run(arguments, name, rate, 0)
            validation[rate] = result["selected"]["validation_accuracy"]
        print(f"{name}: on validation {validation}", flush=True)
        rates[name] = max(validation, key=lambda rate: validation[rate])
        accuracies[name] = [
            run(arguments, name, rates[name], seed)["accuracy"]["convnet"]["mean"]
            for seed in range(arguments.seeds)
        ]
        print("\n".join(table(accuracies, rates, arguments.seeds)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
