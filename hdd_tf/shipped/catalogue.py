"""What is known of each distilled set that comes with hdd_tf, without its images.

A set is a directory of the usual form, `hdd_tf.json` and the file of its images, and
beside them `about.json`: how it was made, what it scored, and where its data are from.
benchmarks/ship_sets.py writes all of it.
"""

import functools
import pathlib
from typing import Any, NamedTuple

from hdd_tf.errors import InputError
from hdd_tf.files.json_files import read_json

ABOUT_FILE = "about.json"


class ShippedSet(NamedTuple):
    """A distilled set that comes with hdd_tf.

    Attributes:
        name: What `hdd_tf.load` and `hdd-tf evaluate` take.
        directory: Where it lies.
        dataset: Name of the data set whose training split it stands for.
        ipc: Stored images of each class.
        method: Title of the method, with `+HDD` in hyperbolic geometry.
        iterations: Iterations that made it; 0 of a method without any.
        images: Number of stored images.
        shape: (height, width, channels) of an image.
        bytes: Size of its files.
        mean: Mean test accuracy of the networks that were trained on it, in percent.
        std: Its standard deviation over these networks.
        networks: Their number.
        network: What they are, such as `convnet, width 32`.
        epochs: Epochs that each of them trained.
        real_mean: The same accuracy of as many random real images; None where that was
            not measured.
        command: Command that made it.
        revision: Commit of hdd_tf that made it.
        seconds: Seconds of distillation.
        terms: Where the data are from, and on which terms.
    """

    name: str
    directory: pathlib.Path
    dataset: str
    ipc: int
    method: str
    iterations: int
    images: int
    shape: tuple[int, int, int]
    bytes: int
    mean: float
    std: float
    networks: int
    network: str
    epochs: int
    real_mean: float | None
    command: str
    revision: str
    seconds: float
    terms: str


def shipped_directory() -> pathlib.Path:
    """Returns the folder of the sets that come with hdd_tf.

    That is the package hdd_tf.distilled_sets where a wheel is installed, and distilled/
    beside hdd_tf in a clone.
    """
    package = pathlib.Path(__file__).parents[1]
    installed = package / "distilled_sets"
    return installed if installed.is_dir() else package.parent / "distilled"


def shipped_names() -> list[str]:
    """Returns the names of the sets that come with hdd_tf, in alphabetical order."""
    return sorted(
        file.parent.name for file in shipped_directory().glob(f"*/{ABOUT_FILE}")
    )


def sets() -> tuple[ShippedSet, ...]:
    """Returns the distilled sets that come with hdd_tf, in the order of their names.

    `hdd_tf.load(name)` reads one, `hdd_tf.evaluate(name)` scores it and
    `hdd_tf.export(name, DIR)` writes it for other programs.

    Raises:
        InputError: The files of one are damaged.
    """
    return tuple(map(_described, shipped_names()))


@functools.cache
def _described(name: str) -> ShippedSet:
    directory = shipped_directory() / name
    try:
        about = read_json(directory / ABOUT_FILE)
        metadata = read_json(directory / "hdd_tf.json")
        return _shipped_set(directory, about, metadata)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(
            f"{directory}, which comes with hdd_tf, is damaged: install hdd_tf anew"
        ) from error


def _shipped_set(
    directory: pathlib.Path, about: dict[str, Any], metadata: dict[str, Any]
) -> ShippedSet:
    score, real = about["accuracy"], about["real"]
    return ShippedSet(
        name=directory.name,
        directory=directory,
        dataset=metadata["dataset"],
        ipc=metadata["ipc"],
        method=about["method"],
        iterations=metadata.get("iteration", 0),
        images=metadata["num_images"],
        shape=tuple(metadata["image_shape"]),
        bytes=sum(file.stat().st_size for file in directory.iterdir()),
        mean=score["mean"],
        std=score["std"],
        networks=len(score["values"]),
        network=about["network"],
        epochs=about["epochs"],
        real_mean=real["mean"] if real else None,
        command=about["command"],
        revision=about["revision"],
        seconds=about["seconds"],
        terms=about["terms"],
    )
