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
from hdd_tf.evaluate.rounding import measure_rounding
from hdd_tf.exporting.metadata import metadata_of_set
from hdd_tf.exporting.saved_sets import SavedSet, load_newest_set, load_saved_set
from hdd_tf.methods.registry import is_distilled, traits_of


def set_of_run(run_dir: str | os.PathLike) -> DistilledSet:
    """Returns a run's set, as stored: its newest checkpoint's, a selection's export.

    Raises:
        InputError: there is no such run, or none with a readable checkpoint.
    """
    directory = RunDirectory(run_dir)
    record = directory.read_config()
    if not is_distilled(record["config"].get("objective", "")):
        return read_distilled_set(directory.synthetic)
    saved = load_newest_set(run_dir)
    if _has_labels_beside(directory.synthetic, saved.iteration):
        return read_distilled_set(directory.synthetic)
    metadata = {"ipc": saved.images.shape[1]}
    return _set_of_saved(saved, directory, record, metadata)


def _has_labels_beside(export: pathlib.Path, iteration: int) -> bool:
    """Says whether a run's export of this iteration has labels that no checkpoint has.

    They come from a method's result. Any other export is not read: it may be damaged,
    and the checkpoint is whole.
    """
    described = read_unchecked(export / METADATA_FILE)
    if described is None:
        return False
    metadata, _ = described
    labelled = "teacher" in metadata or "epoch_labels" in metadata
    return labelled and metadata.get("iteration") == iteration


def set_of_checkpoint(prefix: str | os.PathLike) -> DistilledSet:
    """Returns a run's images, as stored, of any of its checkpoints.

    Args:
        prefix: The checkpoint's path, such as `RUN/checkpoints/iteration-100`; what
            the images are is read from the `config.json` above it.

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
    """Returns a checkpoint's set with what its run knows of it."""
    metadata = {**_metadata(record, saved.iteration), **more}
    size = int(np.prod(saved.images.shape[2:]))
    traits = traits_of(record["config"].get("objective", ""))
    whitened = traits is not None and traits.whitened
    return saved.distilled(metadata, read_whitening(run.path, size, whitened))


def _metadata(record: Mapping[str, Any], iteration: int) -> dict[str, Any]:
    """Returns what a run knows of its set, also one of another version."""
    try:
        config = from_json(record["config"])
    except InputError:
        # Its settings are others; the images can be read all the same.
        return metadata_of_run(record, iteration)
    return metadata_of_set(config, record, iteration)


def export_set(
    distilled_set: DistilledSet,
    output_dir: str | os.PathLike,
    images: str = "stored",
    encoding: str = "float32",
    measure: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Writes a set, and measures what rounding it costs if that is asked for.

    Args:
        distilled_set: The set.
        output_dir: Where to; see `check_output`.
        images: `stored`: as they are given; `decoded`: as networks train on them.
        encoding: A key of `encodings.registry.ENCODINGS`.
        measure: Flags for `measure_rounding`; None does not measure. The set is
            written before that and again after it, for it can take hours.

    Returns:
        The metadata of the set that was written.

    Raises:
        InputError: as `write_distilled_set` and `measure_rounding`.
    """
    if measure is not None:  # What cannot be measured is not written either.
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


def check_output(
    output_dir: str | os.PathLike, encoding: str, overwrite: bool = False
) -> None:
    """Refuses what cannot be written, before anything is read, which can take long.

    Raises:
        InputError: `output_dir` holds other things, or a set that is to stay; or there
            is no such encoding.
    """
    encoding_of_name(encoding)
    path = pathlib.Path(output_dir)
    if path.exists() and not path.is_dir():
        raise InputError(f"--output_dir={path} is a file: name a directory")
    if path.exists() and any(path.iterdir()):
        if not is_distilled_set(path):
            raise InputError(
                f"--output_dir={path} holds other things than a distilled set: "
                "name a new or empty directory"
            )
        if not overwrite:
            raise InputError(
                f"--output_dir={path} holds a distilled set: name another "
                "directory, or add --overwrite to replace it"
            )
