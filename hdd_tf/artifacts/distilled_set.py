"""Distilled sets on disk: files of images and, beside them, how to use the images.

The images are on the 0-255 scale. By default they are kept exactly as the optimiser
left them: values may lie outside [0, 255] and are not rounded, for both carry
information. Other encodings (encodings/registry.py) keep them for other readers.
`hdd_tf.json` says how networks take them, where they come from, and the checksum of
every file.
"""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import tensorflow as tf

from hdd_tf.artifacts import atomic, checksums, provenance
from hdd_tf.artifacts.encodings.base import Encoding
from hdd_tf.artifacts.encodings.registry import ENCODINGS, encoding_of_name
from hdd_tf.artifacts.links import entries_below
from hdd_tf.artifacts.set_metadata import (
    FORMAT,
    FORMAT_VERSION,
    RIGHT,
    read_metadata,
    read_unchecked,
)
from hdd_tf.data.memory import available_memory
from hdd_tf.errors import InputError

if TYPE_CHECKING:
    from hdd_tf.data.epoch_labels import EpochLabels
    from hdd_tf.data.normalisation import Whitening
    from hdd_tf.networks.teacher import Teacher

METADATA_FILE = "hdd_tf.json"
# What only the encoding that a set was read from has to say.
_OF_ENCODING = {"layout"}
_REQUIRED = ("dataset", "label_names", "mean", "std", "objective", "geometry", "source")


@dataclasses.dataclass(frozen=True, eq=False)
class DistilledSet:
    """Synthetic images with their labels and what is known about them.

    Attributes:
        images: `[n, h, w, c]` float32 on the 0-255 scale, not clipped.
        labels: `[n]` int64.
        metadata: dataset, label_names, mean and std (per channel, of images scaled to
            0-1), objective, geometry, source (the run's configuration); optionally
            ipc, formation_factor (a stored image is a grid of factor x factor training
            images) and decoded (whether they are cut out already). After reading,
            everything in `hdd_tf.json`.
        label_logits: `[n, C]` float32 logits, whose softmax are soft labels.
        student_rate: The learning rate that was learnt with the images.
        teacher: Networks whose mean logits are labels of what a student sees.
        epoch_labels: The labels of every view of the images in a number of epochs.
        whitening: How images are whitened; mean and std are not applied then.

    Raises:
        ValueError: If the parts do not fit together.
    """

    images: np.ndarray
    labels: np.ndarray
    metadata: dict[str, Any]
    label_logits: np.ndarray | None = None
    student_rate: float | None = None
    teacher: "Teacher | None" = None
    epoch_labels: "EpochLabels | None" = None
    whitening: "Whitening | None" = None

    def __post_init__(self) -> None:
        images = self.images
        if images.ndim != 4 or images.dtype != np.float32 or not images.size:
            raise ValueError(
                "`images` must be float32 [n, h, w, c] and not empty. "
                f"Received: {images.dtype} {images.shape}."
            )
        if self.labels.shape != self.images.shape[:1] or self.labels.dtype != np.int64:
            raise ValueError(
                f"`labels` must be int64 [{len(self.images)}]. "
                f"Received: {self.labels.dtype} {self.labels.shape}."
            )
        missing = [key for key in _REQUIRED if key not in self.metadata]
        if missing:
            raise ValueError(f"`metadata` lacks {', '.join(missing)}.")
        names = [str(name) for name in self.metadata["label_names"]]
        if len(set(names)) < len(names) or not all(name.strip() for name in names):
            raise ValueError(f"`label_names` must be distinct words, not {names}.")
        if not np.isin(self.labels, np.arange(len(names))).all():
            raise ValueError(f"`labels` must be in [0, {len(names)}), one a name.")
        for key in ("mean", "std"):
            if len(self.metadata[key]) != self.images.shape[-1]:
                raise ValueError(
                    f"`{key}` must have {self.images.shape[-1]} values, one a channel. "
                    f"Received: {self.metadata[key]}."
                )

    @classmethod
    def from_class_images(cls, images: np.ndarray, metadata: dict[str, Any]) -> Self:
        """Makes a set, class after class, of `[classes, ipc, h, w, c]` images."""
        classes, ipc = images.shape[:2]
        labels = np.repeat(np.arange(classes, dtype=np.int64), ipc)
        flat = np.asarray(images, np.float32).reshape(classes * ipc, *images.shape[2:])
        return cls(flat, labels, metadata)


def metadata_of_run(
    record: Mapping[str, Any], iteration: int | None = None
) -> dict[str, Any]:
    """Returns the metadata of the set that a run distils.

    Args:
        record: Contents of the run's `config.json`: `config` with the value of every
            flag, `data` with `name`, `label_names`, `mean` and `std`.
        iteration: How many iterations the images have seen, if known.

    Raises:
        InputError: If something is missing.
    """
    try:
        config, data = record["config"], record["data"]
        metadata = {"dataset": data["name"]}
        metadata |= {key: data[key] for key in ("label_names", "mean", "std")}
        metadata |= {key: config[key] for key in ("objective", "geometry")}
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


def write_distilled_set(
    directory: str | os.PathLike,
    distilled_set: DistilledSet,
    encoding: str = "float32",
) -> None:
    """Writes a set; one that is there, in whatever encoding, is replaced as a whole.

    Args:
        directory: Where to.
        distilled_set: The set.
        encoding: A key of `encodings.registry.ENCODINGS`.

    Raises:
        InputError: If `directory` holds anything else, or cannot be written, or the
            encoding cannot hold the images.
    """
    target = pathlib.Path(directory)
    chosen = encoding_of_name(encoding)
    if not _is_replaceable(target):
        raise InputError(
            f"{target} holds other things than a distilled set: name another directory"
        )
    try:
        with atomic.new_directory(target) as partial:
            details = chosen.write(
                partial,
                distilled_set.images,
                distilled_set.labels,
                distilled_set.metadata,
            )
            content = _describe(partial, distilled_set, chosen, details)
            atomic.write_json(partial / METADATA_FILE, content)
    except (OSError, tf.errors.OpError) as error:
        reason = str(getattr(error, "strerror", None) or error).splitlines()[0]
        raise InputError(f"cannot write {target}: {reason}") from error


def read_distilled_set(path: str | os.PathLike) -> DistilledSet:
    """Reads and verifies a set of any encoding.

    Args:
        path: The set's directory, or that of the run it belongs to.

    Returns:
        The set; images of `dd_ranking` come back to the 0-255 scale up to float32's
        rounding, class after class.

    Raises:
        InputError: If there is no set, or it is not exactly what was written.
    """
    directory = find_distilled_set(path)
    metadata, encoding = read_metadata(directory / METADATA_FILE)
    _check_memory(directory, metadata)
    checksums.verify_files(directory, metadata["files"])
    try:
        strangers = sorted(encoding.strangers(directory, metadata))
        if strangers:
            raise InputError(f"{strangers[0]} does not belong to the set: move it away")
        images, labels = encoding.read(directory, metadata)
        return DistilledSet(images, labels, metadata)
    except (tf.errors.OpError, ValueError, MemoryError) as error:
        raise InputError(
            f"{directory} does not hold the images that its {METADATA_FILE} describes: "
            "export the set anew"
        ) from error
    except OSError as error:
        raise InputError(f"cannot read {directory}: {error.strerror}") from error


def _check_memory(directory: pathlib.Path, metadata: Mapping[str, Any]) -> None:
    """Refuses a set that memory cannot hold, before its checksums take hours."""
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
        InputError: If there is none.
    """
    place = pathlib.Path(path)
    for directory in (place, place / "synthetic"):
        if (directory / METADATA_FILE).is_file():
            return directory
    if not place.exists():
        raise InputError(f"{place} does not exist: give a distilled set or a run")
    if not place.is_dir():
        raise InputError(f"{place} is a file: give the directory of a set or of a run")
    raise InputError(
        f"{place} is no distilled set: no {METADATA_FILE} in it or in its synthetic/"
    )


def is_distilled_set(path: str | os.PathLike) -> bool:
    """Says whether a directory holds a distilled set and nothing else."""
    directory = pathlib.Path(path)
    files, folders = _names_below(directory)
    if METADATA_FILE not in files:
        return False
    files -= {METADATA_FILE}
    described = read_unchecked(directory / METADATA_FILE)
    if described is None:
        # A damaged set is one still, if its files have names that never vary.
        known = any(files <= encoding.files for encoding in ENCODINGS.values())
        return known and not folders
    metadata, encoding = described
    return files <= encoding.owned(metadata) and folders <= encoding.folders(metadata)


def _names_below(directory: pathlib.Path) -> tuple[set[str], set[str]]:
    """Returns the relative names of all files, and of all folders, at any depth.

    A link is a file, wherever it leads.
    """
    files: set[str] = set()
    folders: set[str] = set()
    if directory.is_dir():
        for entry in entries_below(directory):
            is_folder = entry.is_dir(follow_symlinks=False)
            (folders if is_folder else files).add(
                pathlib.Path(entry.path).relative_to(directory).as_posix()
            )
    return files, folders


def _is_replaceable(target: pathlib.Path) -> bool:
    if not target.is_dir():
        return not target.exists()
    return not any(target.iterdir()) or is_distilled_set(target)


def _describe(
    directory: pathlib.Path,
    distilled_set: DistilledSet,
    encoding: Encoding,
    details: dict[str, Any],
) -> dict[str, Any]:
    """Returns the contents of `hdd_tf.json` for the files already in `directory`."""
    images, labels = distilled_set.images, distilled_set.labels
    format_of_set = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "encoding": encoding.name,
    }
    kept = {k: v for k, v in distilled_set.metadata.items() if k not in _OF_ENCODING}
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
        "preprocessing": "networks train on (image / 255 - mean) / std, by channel",
        "versions": provenance.library_versions(),
        **details,
    }
    written, _ = _names_below(directory)
    content["files"] = checksums.describe_files(directory, written)
    return checksums.seal(atomic.to_plain(content))
