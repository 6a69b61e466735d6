"""Distilled sets on disk: a TFDS folder and, beside it, how to use the images.

The images are on the 0-255 scale, exactly as the optimiser left them: values may lie
outside [0, 255] and are not rounded, for both carry information. `hdd_tf.json` says
how networks take them, where they come from, and the checksum of every file.
"""

import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import tensorflow as tf

from hdd_tf.artifacts import atomic, checksums, provenance, tfds_folder
from hdd_tf.errors import InputError

METADATA_FILE = "hdd_tf.json"
_DATA_FILES = (tfds_folder.RECORDS_FILE, *tfds_folder.TFDS_FILES)
_FORMAT = {
    "format": "hdd_tf distilled set",
    "format_version": 1,
    # How a record holds its image; another encoding will have another name.
    "encoding": "float32",
}
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

    Raises:
        ValueError: If the parts do not fit together.
    """

    images: np.ndarray
    labels: np.ndarray
    metadata: dict[str, Any]

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
    except (KeyError, TypeError) as error:
        raise InputError(
            f"the run's config.json is not complete (no {error}): export with the "
            "version of hdd_tf that wrote it"
        ) from error
    if iteration is not None:
        metadata["iteration"] = iteration
    return {**metadata, "source": config}


def write_distilled_set(
    directory: str | os.PathLike, distilled_set: DistilledSet
) -> None:
    """Writes a set as a TFDS folder; a set that is there is replaced as a whole.

    Raises:
        InputError: If `directory` holds anything else, or cannot be written.
    """
    target = pathlib.Path(directory)
    if not _is_replaceable(target):
        raise InputError(
            f"{target} holds other things than a distilled set: name another directory"
        )
    images, metadata = distilled_set.images, distilled_set.metadata
    try:
        with atomic.new_directory(target) as partial:
            tfds_folder.write_records(partial, images, distilled_set.labels)
            tfds_folder.write_tfds_metadata(
                partial,
                image_shape=images.shape[1:],
                num_records=len(images),
                label_names=[str(name) for name in metadata["label_names"]],
                description=f"{metadata['dataset']} distilled by hdd_tf, float images "
                f"on the 0-255 scale, not clipped; see {METADATA_FILE}.",
            )
            content = _describe(partial, distilled_set)
            atomic.write_json(partial / METADATA_FILE, content)
    except (OSError, tf.errors.OpError) as error:
        reason = str(getattr(error, "strerror", None) or error).splitlines()[0]
        raise InputError(f"cannot write {target}: {reason}") from error


def read_distilled_set(path: str | os.PathLike) -> DistilledSet:
    """Reads and verifies a set.

    Args:
        path: The set's directory, or that of the run it belongs to.

    Raises:
        InputError: If there is no set, or it is not exactly what was written.
    """
    directory = find_distilled_set(path)
    metadata = _read_metadata(directory / METADATA_FILE)
    checksums.verify_files(directory, metadata["files"])
    strangers = {file.name for file in directory.glob("*.tfrecord*")} - {*_DATA_FILES}
    if strangers:
        raise InputError(
            f"{directory / min(strangers)} does not belong to the set: move it away"
        )
    try:
        images, labels = tfds_folder.read_records(directory, metadata["image_shape"])
        if len(images) != metadata["num_images"]:
            raise ValueError(f"{len(images)} images")
        return DistilledSet(images, labels, metadata)
    except (tf.errors.OpError, ValueError) as error:
        raise InputError(
            f"{directory} does not hold the images that its {METADATA_FILE} describes: "
            "export the set anew"
        ) from error


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
    names = {entry.name for entry in pathlib.Path(path).iterdir()}
    return METADATA_FILE in names and names <= {METADATA_FILE, *_DATA_FILES}


def _is_replaceable(target: pathlib.Path) -> bool:
    if not target.is_dir():
        return not target.exists()
    return not any(target.iterdir()) or is_distilled_set(target)


def _describe(directory: pathlib.Path, distilled_set: DistilledSet) -> dict[str, Any]:
    """Returns the contents of `hdd_tf.json` for the files already in `directory`."""
    images, labels = distilled_set.images, distilled_set.labels
    content = {
        **_FORMAT,
        "ipc": np.bincount(labels).max(),
        "formation_factor": 1,
        "decoded": False,
        **distilled_set.metadata,
        **_FORMAT,
        "num_images": len(images),
        "image_shape": images.shape[1:],
        "value_range": [0, 255],
        "values_may_lie_outside_range": True,
        "preprocessing": "networks train on (image / 255 - mean) / std, by channel",
        "versions": provenance.library_versions(),
        "files": checksums.describe_files(directory, _DATA_FILES),
    }
    return checksums.seal(atomic.to_plain(content))


def _read_metadata(path: pathlib.Path) -> dict[str, Any]:
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(
            f"{path} is damaged (not JSON): copy or export the set anew"
        ) from error
    if not isinstance(metadata, dict) or metadata.get("format") != _FORMAT["format"]:
        raise InputError(f"{path} does not describe a distilled set of hdd_tf")
    for key in ("format_version", "encoding"):
        if metadata.get(key) != _FORMAT[key]:
            raise InputError(
                f"{path} has {key} {metadata.get(key)!r}, this version of hdd_tf reads "
                f"{_FORMAT[key]!r}: use the version that wrote it"
            )
    if not checksums.is_sealed(metadata):
        raise InputError(
            f"{path} is damaged or was edited: copy or export the set anew"
        )
    return metadata
