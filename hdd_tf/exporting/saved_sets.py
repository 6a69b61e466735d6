"""Reads the synthetic set of a checkpoint without building its run."""

import os
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from hdd_tf.artifacts.checkpoint_files import CheckpointFiles
from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.data.normalisation import Normalisation, Whitening
from hdd_tf.distillation.synthetic_set import to_pixels
from hdd_tf.errors import InputError
from hdd_tf.files.plain_names import plainly_named

_VALUE = "synthetic_set/{}/.ATTRIBUTES/VARIABLE_VALUE"


class SavedSet(NamedTuple):
    """The values of the synthetic set's variables in a checkpoint.

    Attributes:
        images: `[C, ipc, h, w, c]` float32, on the scale of the variable.
        scale: `[c]` float32 factors from the variable to the 0-1 scale.
        offset: `[c]` float32 offsets from the variable to the 0-1 scale.
        iteration: Iterations that the set has seen.
        label_logits: `[C, ipc, C]` float32, or None.
        student_rate: Learnt rate, or None.
    """

    images: np.ndarray
    scale: np.ndarray
    offset: np.ndarray
    iteration: int
    label_logits: np.ndarray | None
    student_rate: float | None

    def pixels(self, whitening: Whitening | None = None) -> np.ndarray:
        """Returns the images on the 0-255 scale, float32, not clipped.

        Args:
            whitening: Whitening of the run; None if its images are not whitened.
        """
        if whitening is None:
            return to_pixels(self.images, self.scale, self.offset)
        return Normalisation((), (), whitening).to_pixels(self.images)

    def distilled(
        self, metadata: Mapping[str, Any], whitening: Whitening | None = None
    ) -> DistilledSet:
        """Returns the set as a run with these metadata exports it.

        Args:
            metadata: Metadata of the set.
            whitening: Whitening of the run; None if its images are not whitened.
        """
        return DistilledSet.from_class_images(
            self.pixels(whitening),
            dict(metadata),
            self.label_logits,
            student_rate=self.student_rate,
            whitening=whitening,
        )


def load_images(run_dir: str | os.PathLike) -> tuple[np.ndarray, int]:
    """Reads the images of a run's newest whole checkpoint, without building the run.

    Args:
        run_dir: Directory of a run whose images are not whitened.

    Returns:
        `[C, ipc, h, w, c]` float32 images on the 0-255 scale, not clipped, and the
        number of iterations that they have seen.

    Raises:
        InputError: the run has no whole checkpoint.
    """
    saved = load_newest_set(run_dir)
    return saved.pixels(), saved.iteration


def load_newest_set(run_dir: str | os.PathLike) -> SavedSet:
    """Reads the set of a run's newest whole checkpoint, without building the run.

    Args:
        run_dir: Directory of a run.

    Raises:
        InputError: the run has no whole checkpoint.
    """
    files = CheckpointFiles(pathlib.Path(run_dir) / "checkpoints")
    newest = files.newest_whole()
    if newest is None:
        raise InputError(
            f"{files.directory} holds no checkpoint; give the directory of a run that "
            "has saved one."
        )
    return load_saved_set(files.prefix(newest))


def load_saved_set(prefix: str | os.PathLike) -> SavedSet:
    """Reads the set of one checkpoint.

    Args:
        prefix: Path of the checkpoint without `.index`, such as
            `RUN/checkpoints/iteration-100`.

    Raises:
        InputError: the checkpoint does not exist, is not of a run, or cannot be read.
    """
    if not pathlib.Path(f"{prefix}.index").is_file():
        raise InputError(
            f"there is no checkpoint {prefix}: give the path of one without .index, "
            "such as RUN/checkpoints/iteration-100."
        )
    try:
        path = pathlib.Path(prefix)
        with plainly_named(path.parent) as directory:
            return _set_of(tf.train.load_checkpoint(str(directory / path.name)))
    # TensorFlow's reader of checkpoints raises Python's own errors in some places.
    except (
        *(tf.errors.OpError, ValueError, LookupError, RuntimeError),
        *(TypeError, MemoryError),
    ) as error:
        raise InputError(f"checkpoint {prefix} cannot be read.") from error


def _set_of(reader: Any) -> SavedSet:
    """Returns the set that a checkpoint's reader gives; raises as TensorFlow does."""
    known = reader.get_variable_to_shape_map()
    images, scale, offset = (
        reader.get_tensor(_VALUE.format(name)) for name in ("images", "scale", "offset")
    )
    logits, rate = (
        reader.get_tensor(_VALUE.format(name)) if _VALUE.format(name) in known else None
        for name in ("label_logits", "student_rate")
    )
    iteration = int(reader.get_tensor("iteration/.ATTRIBUTES/VARIABLE_VALUE"))
    channels = images.shape[4:]
    if len(channels) != 1 or not channels == scale.shape == offset.shape:
        raise ValueError("no images")
    if any(array.dtype != np.float32 for array in (images, scale, offset)):
        raise ValueError("no floats")
    if logits is not None and logits.shape[:2] != images.shape[:2]:
        raise ValueError("no labels")
    learnt = None if rate is None else float(rate)
    return SavedSet(images, scale, offset, iteration, logits, learnt)
