"""Distilled sets on disk: files of images, and a description of their use.

The images are on the 0-255 scale. The default encoding keeps the exact values of the
optimiser: values may lie outside [0, 255] and are not rounded, because both carry
information. Other encodings (encodings/registry.py) serve other readers.
`hdd_tf.json` has the preprocessing of the images, their origin, and the checksum of
every file.
"""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from hdd_tf.artifacts import provenance
from hdd_tf.artifacts.encodings.base import Encoding
from hdd_tf.artifacts.encodings.registry import encoding_of_name
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.sets import set_extras, set_words
from hdd_tf.artifacts.sets.set_content import DistilledSet
from hdd_tf.artifacts.sets.set_metadata import (
    FORMAT,
    FORMAT_VERSION,
    METADATA_FILE,
    RIGHT,
    read_metadata,
)
from hdd_tf.artifacts.sets.set_ownership import is_distilled_set, names_below
from hdd_tf.data.dataset import Dataset
from hdd_tf.data.memory import available_memory
from hdd_tf.errors import InputError
from hdd_tf.files import atomic, checksums
from hdd_tf.files.json_text import to_plain
from hdd_tf.files.links import check_place
from hdd_tf.files.unfinished import entries_of
from hdd_tf.methods.registry import geometry_of

# Entries of the encoding that a set was read from, which a new encoding replaces.
_OF_ENCODING = {"layout", "training"}


def metadata_of_run(
    record: Mapping[str, Any], iteration: int | None = None
) -> dict[str, Any]:
    """Returns the metadata of the set that a run distils.

    Args:
        record: Contents of the run's `config.json`: `config` with the value of every
            flag, `data` with `name`, `label_names`, `mean` and `std`.
        iteration: Iterations that the images have seen; None if unknown.

    Raises:
        InputError: an entry is missing or invalid.
    """
    try:
        config, data = record["config"], record["data"]
        metadata = {"dataset": data["name"]}
        metadata |= {key: data[key] for key in ("label_names", "mean", "std")}
        metadata["objective"] = config["objective"]
        metadata["geometry"] = geometry_of(config["objective"], config["geometry"])
        metadata["formation_factor"] = config.get("formation_factor", 1)
        for key, is_right in RIGHT.items():
            if key in metadata and not is_right(metadata[key]):
                raise TypeError(f"usable {key}")
    except (KeyError, TypeError) as error:
        raise InputError(
            f"the run's config.json is not complete (no {error}): export with the "
            "version of hdd_tf that wrote it"
        ) from error
    if iteration is not None:
        metadata["iteration"] = iteration
    return {**metadata, "source": config}


def metadata_without_run(dataset: Dataset, ipc: int) -> dict[str, Any]:
    """Returns the metadata of a set that no method here made, with no settings.

    Args:
        dataset: The data set that its images stand for.
        ipc: Images of each class; of the largest one where they differ.
    """
    return {
        "dataset": dataset.name,
        "label_names": list(dataset.label_names),
        "mean": list(dataset.mean),
        "std": list(dataset.std),
        "objective": "",
        "geometry": "none",
        "source": {},
        "ipc": ipc,
    }


def write_distilled_set(
    directory: str | os.PathLike,
    distilled_set: DistilledSet,
    encoding: str = "float32",
) -> None:
    """Writes a set, which replaces a set of any encoding in the directory as a whole.

    Args:
        directory: Directory of the set.
        distilled_set: The set.
        encoding: Name of the encoding, a key of `encodings.registry.ENCODINGS`.

    Raises:
        InputError: `directory` holds foreign files or cannot be written, or the
            encoding does not support the set's images, labels or teacher.
    """
    target = pathlib.Path(directory)
    chosen = encoding_of_name(encoding)
    if not _is_replaceable(target):
        raise InputError(
            f"{target} holds other things than a distilled set: name another directory"
        )
    extras = set_extras.describe_extras(distilled_set)
    metadata = {**set_extras.without_extras(distilled_set.metadata), **extras}
    images, labels = distilled_set.images, distilled_set.labels
    try:
        with atomic.new_directory(target) as partial:
            details = chosen.write(
                partial, images, labels, metadata, distilled_set.label_logits
            )
            set_extras.write_extras(partial, distilled_set, chosen.order(labels))
            content = _describe(partial, images, labels, metadata, chosen, details)
            atomic.write_json(partial / METADATA_FILE, content)
    except (OSError, tf.errors.OpError) as error:
        reason = str(getattr(error, "strerror", None) or error).splitlines()[0]
        raise InputError(f"cannot write {target}: {reason}") from error


def read_distilled_set(path: str | os.PathLike) -> DistilledSet:
    """Reads and verifies a set of any encoding.

    Args:
        path: Directory of the set, or of the run that it belongs to.

    Returns:
        The set. Images of the encoding `dd_ranking` are ordered by class, and are on
        the 0-255 scale up to float32's rounding.

    Raises:
        InputError: there is no set, it differs from what was written, or it does not
            fit into memory.
    """
    directory = find_distilled_set(path)
    metadata, encoding = read_metadata(directory / METADATA_FILE)
    _check_memory(directory, metadata)
    checksums.verify_files(directory, metadata["files"])
    try:
        foreign = sorted(encoding.foreign_files(directory, metadata))
        if foreign:
            raise InputError(f"{foreign[0]} does not belong to the set: move it away")
        images, labels, label_logits = encoding.read(directory, metadata)
        extras = set_extras.read_extras(directory, metadata)
        return DistilledSet(images, labels, metadata, label_logits, **extras)
    except (tf.errors.OpError, ValueError, MemoryError) as error:
        raise InputError(
            f"{directory} does not hold the images that its {METADATA_FILE} describes: "
            "export the set anew"
        ) from error
    except OSError as error:
        raise InputError(f"cannot read {directory}: {error.strerror}") from error


def _check_memory(directory: pathlib.Path, metadata: Mapping[str, Any]) -> None:
    """Checks that a set fits into memory, before its checksums take hours."""
    available = available_memory()
    stored = sum(about["bytes"] for about in metadata["files"].values())
    if available is not None and stored > available:
        raise InputError(
            f"{directory} does not fit into memory: its files have {stored:,} bytes, "
            f"and {available:,} are available"
        )


def find_distilled_set(path: str | os.PathLike) -> pathlib.Path:
    """Returns the directory of the set at `path`: itself or its `synthetic/`.

    Raises:
        InputError: there is no set; the message tells how to get one of a run that is
            not finished.
    """
    place = pathlib.Path(path)
    for directory in (place, place / "synthetic"):
        if (directory / METADATA_FILE).is_file():
            return directory
    check_place(place)
    run = RunDirectory(place)
    # Whether a checkpoint is whole takes long to say; the export says it.
    has_checkpoint = any(run.checkpoints.glob("iteration-*.index"))
    if run.config_file.is_file() and has_checkpoint and not run.result_file.is_file():
        raise InputError(
            f"{place} is a run that is not finished: continue it with the same "
            "command, or write its newest checkpoint with hdd-tf export "
            f"--run_dir={place} --output_dir=DIR and score that"
        )
    raise InputError(
        f"{place} is no distilled set: no {METADATA_FILE} in it or in its synthetic/; "
        "hdd-tf evaluate scores one of another program with --dataset=NAME"
    )


def _is_replaceable(target: pathlib.Path) -> bool:
    if not target.is_dir():
        return not target.exists()
    return not any(entries_of(target)) or is_distilled_set(target)


def _describe(
    directory: pathlib.Path,
    images: np.ndarray,
    labels: np.ndarray,
    metadata: Mapping[str, Any],
    encoding: Encoding,
    details: dict[str, Any],
) -> dict[str, Any]:
    """Returns the contents of `hdd_tf.json` for the files already in `directory`."""
    format_of_set = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "encoding": encoding.name,
    }
    kept = {k: v for k, v in metadata.items() if k not in _OF_ENCODING}
    content = {
        **format_of_set,
        "ipc": np.bincount(labels).max(),
        "formation_factor": 1,
        "decoded": False,
        **kept,
        **format_of_set,
        "label_names": [str(name) for name in kept["label_names"]],
        "num_images": len(images),
        "image_shape": images.shape[1:],
        "value_range": [0, 255],
        "values_may_lie_outside_range": encoding.outside_range,
        "preprocessing": set_words.preprocessing(metadata),
        **({"training": words} if (words := set_words.training(metadata)) else {}),
        "versions": provenance.library_versions(),
        **details,
    }
    written, _ = names_below(directory)
    content["files"] = checksums.describe_files(directory, written)
    return checksums.seal(to_plain(content))
