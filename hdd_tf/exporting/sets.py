"""Exports: the set of a run, of one of its checkpoints, or of an earlier export."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hdd_tf.arguments.command_line import recorded_config
from hdd_tf.artifacts.encodings.registry import encoding_of_name
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.sets.decoding import decode_set
from hdd_tf.artifacts.sets.distilled_set import (
    DistilledSet,
    is_distilled_set,
    metadata_of_run,
    read_distilled_set,
    write_distilled_set,
)
from hdd_tf.artifacts.sets.run_whitening import read_whitening
from hdd_tf.artifacts.sets.set_metadata import METADATA_FILE, read_unchecked
from hdd_tf.config import from_json
from hdd_tf.errors import InputError
from hdd_tf.evaluation.rounding import measure_rounding
from hdd_tf.exporting.metadata import metadata_of_set
from hdd_tf.exporting.saved_sets import SavedSet, load_newest_set, load_saved_set
from hdd_tf.exporting.targets import check_replaceable
from hdd_tf.files.unfinished import entries_of
from hdd_tf.methods.registry import traits_of


def read_source(kind: str, source: str, *, stored: bool = False) -> DistilledSet:
    """Returns what is to be exported.

    Args:
        kind: `run_dir`, `checkpoint` or `set`.
        source: The directory or the checkpoint of that kind.
        stored: Whether the images as they are stored are asked for.

    Raises:
        InputError: there is no such set, or its stored images are asked for and lost.
    """
    read = {
        "run_dir": set_of_run,
        "checkpoint": set_of_checkpoint,
        "set": read_distilled_set,
    }[kind]
    distilled_set = read(source)
    if stored and distilled_set.metadata.get("decoded"):
        raise InputError(
            f"--{kind}={source} holds decoded images, and the stored ones cannot be "
            "had from them: leave out --images=stored"
        )
    return distilled_set


def set_of_run(run_dir: str | os.PathLike) -> DistilledSet:
    """Returns a run's set as stored, from its newest checkpoint or its export.

    The export is read if the run has no iterations, or if it is the result of all of
    them and no checkpoint has it: with labels of its own, or chosen on validation.

    Args:
        run_dir: Directory of the run.

    Raises:
        InputError: there is no such run, or it has no readable checkpoint or export.
    """
    directory = RunDirectory(run_dir)
    record = directory.read_config()
    traits = traits_of(record["config"].get("objective", ""))
    if traits is not None and traits.is_selection:
        return read_distilled_set(directory.synthetic)
    saved = load_newest_set(run_dir)
    if _is_more(directory.synthetic, saved.iteration):
        return read_distilled_set(directory.synthetic)
    metadata = {"ipc": saved.images.shape[1]}
    return _set_of_saved(saved, directory, record, metadata)


def _is_more(export: pathlib.Path, iteration: int) -> bool:
    """Returns True if the export of a run of so many iterations is not a checkpoint's.

    A method's result has labels that no checkpoint has, and what was chosen on the
    validation split may be of an earlier iteration. Any other export is not read,
    because it may be damaged while the checkpoint is whole.
    """
    described = read_unchecked(export / METADATA_FILE)
    if described is None:
        return False
    metadata, _ = described
    labelled = "teacher" in metadata or "epoch_labels" in metadata
    if labelled and metadata.get("iteration") == iteration:
        return True
    source = metadata.get("source")
    # A run that goes on has another number of iterations than its last export.
    is_last = isinstance(source, Mapping) and source.get("iterations") == iteration
    return is_last and isinstance(metadata.get("selected"), Mapping)


def set_of_checkpoint(prefix: str | os.PathLike) -> DistilledSet:
    """Returns a run's set as stored in one of its checkpoints.

    Args:
        prefix: Path of the checkpoint, such as `RUN/checkpoints/iteration-100`. The
            metadata are read from the `config.json` above it.

    Raises:
        InputError: there is no readable checkpoint, or no run above it.
    """
    path = os.fspath(prefix).removesuffix(".index")
    saved = load_saved_set(path)
    for directory in pathlib.Path(path).absolute().parents[:3]:
        run = RunDirectory(directory)
        if run.config_file.is_file():
            return _set_of_saved(saved, run, run.read_config(), {})
    raise InputError(
        f"there is no config.json above the checkpoint {path}: give one in a run's "
        "checkpoints/, for the run says what the images are"
    )


def _set_of_saved(
    saved: SavedSet,
    run: RunDirectory,
    record: Mapping[str, Any],
    more: Mapping[str, Any],
) -> DistilledSet:
    """Returns a checkpoint's set with the metadata and the whitening of its run."""
    metadata = {**_metadata(record, saved.iteration), **more}
    size = int(np.prod(saved.images.shape[2:]))
    traits = traits_of(record["config"].get("objective", ""))
    by_traits = traits is not None and traits.whitened
    whitened = record["config"].get("zca", by_traits)
    return saved.distilled(metadata, read_whitening(run.path, size, whitened))


def _metadata(record: Mapping[str, Any], iteration: int) -> dict[str, Any]:
    """Returns the metadata of a run's set, also for a run of another version."""
    try:
        config = from_json(record["config"])
    except InputError:
        # A version with other settings: its images can still be read.
        return metadata_of_run(record, iteration)
    return metadata_of_set(config, record, iteration)


def export_set(
    distilled_set: DistilledSet,
    output_dir: str | os.PathLike,
    images: str = "stored",
    encoding: str = "float32",
    measure: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Writes a set, and measures the cost of rounding it on request.

    Args:
        distilled_set: The set.
        output_dir: Directory of the export; see `check_output`.
        images: `stored` for the images of `distilled_set`, `decoded` for the images
            that networks train on.
        encoding: Name of the encoding, a key of `encodings.registry.ENCODINGS`.
        measure: Flags for `measure_rounding`; None does not measure. The set is written
            before and after the measurement, which can take hours.

    Returns:
        The metadata of the set that was written.

    Raises:
        InputError: the set cannot be written, see `write_distilled_set`; or the cost of
            rounding cannot be measured, see `measure_rounding`.
    """
    if measure is not None:  # Invalid flags are an error before anything is written.
        recorded_config(distilled_set.metadata["source"], measure)
    if images == "decoded":
        distilled_set = decode_set(distilled_set)
    write_distilled_set(output_dir, distilled_set, encoding)
    if measure is not None:
        accuracy = measure_rounding(distilled_set, measure)
        metadata = {**distilled_set.metadata, "accuracy": accuracy}
        distilled_set = dataclasses.replace(distilled_set, metadata=metadata)
        write_distilled_set(output_dir, distilled_set, encoding)
    return distilled_set.metadata


def check_outside(
    output_dir: str | os.PathLike,
    source: str | os.PathLike,
    *,
    flag: str = "--output_dir=",
) -> None:
    """Checks that an export does not go into what it is made from.

    Another program's reader of the source, and the run that continues in it, would find
    files that are not theirs. A set may replace itself, in another encoding.

    Args:
        output_dir: Directory of the export.
        source: Directory of a run or a set, or a checkpoint.
        flag: Text before the directory in messages; empty where no flag named it.

    Raises:
        InputError: `output_dir` lies in the source or in the run that the source
            belongs to, or is the `synthetic/` or `synthetic_decoded/` of any run.
    """
    target, origin = (pathlib.Path(path).resolve() for path in (output_dir, source))
    runs = [path for path in (origin, *origin.parents[:3]) if _is_run(path)]
    for place in (origin, *runs):
        if place in target.parents:
            raise InputError(
                f"{flag}{output_dir} lies in {place}, which is what to export: "
                "name a directory outside of it"
            )
    run = RunDirectory(target.parent)
    if target in (run.synthetic, run.synthetic_decoded) and _is_run(run.path):
        raise InputError(
            f"{flag}{output_dir} is the set of the run {run.path}, which the "
            "run keeps: name a directory outside of it"
        )


def _is_run(path: pathlib.Path) -> bool:
    # Many a project has a config.json.
    run = RunDirectory(path)
    return run.config_file.is_file() and run.flags_file.is_file()


def check_output(
    output_dir: str | os.PathLike,
    encoding: str,
    overwrite: bool = False,
    *,
    flag: str = "--output_dir=",
    replace: str = "add --overwrite",
) -> None:
    """Checks that an export may be written, before anything is read, which can be slow.

    Args:
        output_dir: Directory of the export.
        encoding: Name of the encoding.
        overwrite: True if a set that exists may be replaced.
        flag: Text before the directory in messages; empty where no flag named it.
        replace: What messages advise in order to replace a set that exists.

    Raises:
        InputError: `output_dir` holds foreign files, or a set that may not be replaced;
            or the encoding does not exist.
    """
    encoding_of_name(encoding)
    path = pathlib.Path(output_dir)
    is_empty = not path.is_dir() or not any(entries_of(path))
    check_replaceable(
        path,
        "a distilled set",
        is_empty or is_distilled_set(path),
        overwrite,
        flag=flag,
        replace=replace,
    )
