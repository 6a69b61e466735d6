"""Saving and restoring the state of a distillation."""

import os
import pathlib

import numpy as np
import tensorflow as tf

from hdd_tf.distillation.image_sgd import ImageSGD
from hdd_tf.distillation.synthetic_set import SyntheticSet, to_pixels
from hdd_tf.errors import InputError
from hdd_tf.objectives.base import Objective

_VALUE = "synthetic_set/{}/.ATTRIBUTES/VARIABLE_VALUE"


class DistillationCheckpoints:
    """The checkpoints of one run.

    All random numbers are functions of (seed, iteration), so images, momentum, the
    iteration and what the objective keeps (IDM's queue) are the whole state.

    Args:
        directory: Where they lie; made when the first is saved.
        synthetic_set: The images.
        image_sgd: Their optimiser.
        objective: Its variables are saved too.
    """

    def __init__(
        self,
        directory: str | os.PathLike,
        synthetic_set: SyntheticSet,
        image_sgd: ImageSGD,
        objective: Objective,
    ) -> None:
        _check_listed(pathlib.Path(directory))
        self._iteration = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self._manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(
                synthetic_set=synthetic_set,
                velocity=image_sgd.velocity,
                objective=objective,
                iteration=self._iteration,
                seconds=self._seconds,
            ),
            str(directory),
            max_to_keep=2,
            checkpoint_name="iteration",
        )

    def restore(self) -> tuple[int, float]:
        """Restores the newest checkpoint, if there is one.

        Returns:
            Iterations done and seconds they took; zeros without a checkpoint.

        Raises:
            InputError: the newest checkpoint cannot be read.
        """
        newest = self._manager.latest_checkpoint
        if newest is None:
            return 0, 0.0
        try:
            status = self._manager.checkpoint.restore(newest)
            status.assert_existing_objects_matched()
        except AssertionError as error:
            raise InputError(
                f"checkpoint {newest} was written by another version of hdd_tf: go on "
                "with that version, or give another --run_dir."
            ) from error
        except (tf.errors.OpError, ValueError) as error:
            raise InputError(
                f"checkpoint {newest} cannot be read; remove its files (and its name "
                f"from the file `checkpoint` beside it) to go on from the one before."
            ) from error
        return int(self._iteration.numpy()), float(self._seconds.numpy())

    def save(self, iteration: int, seconds: float) -> None:
        """Saves the state after so many iterations and seconds."""
        self._iteration.assign(iteration)
        self._seconds.assign(seconds)
        self._manager.save(checkpoint_number=iteration)


def _check_listed(directory: pathlib.Path) -> None:
    """Refuses checkpoints that TensorFlow's list does not name.

    A power cut can empty that file; starting over would then overwrite the run.

    Raises:
        InputError: there are checkpoints, but no readable list of them.
    """
    files = sorted(directory.glob("iteration-*.index"))
    try:
        listed = tf.train.get_checkpoint_state(str(directory)) is not None
    except ValueError:
        listed = False
    if files and not listed:
        newest = max(files, key=lambda path: int(path.stem.rpartition("-")[2])).stem
        raise InputError(
            f"{directory / 'checkpoint'} is missing or damaged, but {newest} is there: "
            f"""write the line model_checkpoint_path: "{newest}" into that file."""
        )


def load_images(run_dir: str | os.PathLike) -> tuple[np.ndarray, int]:
    """Reads the images of a run's newest checkpoint, without building the run.

    Args:
        run_dir: A run directory.

    Returns:
        `[C, ipc, h, w, c]` float32 images on the 0-255 scale, not clipped, and the
        number of iterations they have seen.

    Raises:
        InputError: the run has no readable checkpoint.
    """
    directory = pathlib.Path(run_dir) / "checkpoints"
    _check_listed(directory)
    newest = tf.train.latest_checkpoint(str(directory))
    if newest is None:
        raise InputError(
            f"{directory} holds no checkpoint; give the directory of a run that has "
            "saved one."
        )
    return load_checkpoint_images(newest)


def load_checkpoint_images(prefix: str | os.PathLike) -> tuple[np.ndarray, int]:
    """Reads the images of one checkpoint, as `load_images` does.

    Args:
        prefix: Path of the checkpoint without `.index`, such as
            `RUN/checkpoints/iteration-100`.

    Raises:
        InputError: it is not there, not of a run, or cannot be read.
    """
    if not pathlib.Path(f"{prefix}.index").is_file():
        raise InputError(
            f"there is no checkpoint {prefix}: give the path of one without .index, "
            "such as RUN/checkpoints/iteration-100."
        )
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        images, scale, offset = (
            reader.get_tensor(_VALUE.format(name))
            for name in ("images", "scale", "offset")
        )
        iteration = int(reader.get_tensor("iteration/.ATTRIBUTES/VARIABLE_VALUE"))
    # The reader of files has not come to TensorFlow's own errors everywhere.
    except (tf.errors.OpError, ValueError, LookupError, RuntimeError) as error:
        raise InputError(f"checkpoint {prefix} cannot be read.") from error
    return to_pixels(images, scale, offset), iteration
