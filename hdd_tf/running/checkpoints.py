"""Saves and restores the state of a distillation."""

import os
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from hdd_tf.artifacts.checkpoint_files import CheckpointFiles
from hdd_tf.errors import InputError
from hdd_tf.files.plain_names import plainly_named


class DistillationCheckpoints:
    """The checkpoints of one run.

    All random numbers are functions of (seed, iteration), so the iteration and the
    method's variables (images, momentum, a pool of networks, a bank) are the complete
    state.

    Args:
        directory: Directory of the checkpoints, created with the first checkpoint.
        state: Trackables of the method by name, from `IterativeMethod.state()`.
        keep: Number of newest checkpoints to keep; 0 keeps all.
    """

    def __init__(
        self, directory: str | os.PathLike, state: Mapping[str, Any], keep: int = 2
    ) -> None:
        self._files = CheckpointFiles(directory)
        self._keep = keep
        self._iteration = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self._saved = 0
        self._checkpoint = tf.train.Checkpoint(
            **state, iteration=self._iteration, seconds=self._seconds
        )

    def restore(self) -> tuple[int, float]:
        """Restores the newest whole checkpoint, if there is any.

        Returns:
            The iterations done and their seconds; zeros without a checkpoint.

        Raises:
            InputError: there are checkpoints, but none is whole, or the newest is of
                another version.
        """
        for iteration in self._files.whole():
            prefix = self._files.prefix(iteration)
            try:
                with plainly_named(prefix.parent) as directory:
                    status = self._checkpoint.read(str(directory / prefix.name))
                    status.assert_existing_objects_matched()
            except AssertionError as error:
                raise InputError(
                    f"checkpoint {prefix} was written by another version of hdd_tf: go "
                    "on with that version, or give another --run_dir."
                ) from error
            except (tf.errors.OpError, ValueError) as error:
                if self._files.has_sums(iteration):
                    # Going on before it would cost the iterations in between.
                    raise InputError(
                        f"checkpoint {prefix} is as it was written, but cannot be read "
                        f"({_reason(error)}): mend that, and the same command goes on."
                    ) from error
                print(f"{prefix} cannot be read; trying the one before it.", flush=True)
                continue
            if not self._files.has_sums(iteration):
                # The checkpoint was just read completely; sums keep it usable if newer
                # ones with sums are damaged later.
                self._files.seal(iteration)
            self._saved = int(self._iteration.numpy())
            return self._saved, float(self._seconds.numpy())
        return 0, 0.0

    def save(self, iteration: int, seconds: float) -> None:
        """Saves the state.

        Args:
            iteration: Iterations done.
            seconds: Seconds of distillation so far.

        Raises:
            InputError: the checkpoint cannot be written. Earlier ones are unchanged.
        """
        self._iteration.assign(iteration)
        self._seconds.assign(seconds)
        prefix = self._files.prefix(iteration)
        try:
            with plainly_named(prefix.parent) as directory:
                self._checkpoint.write(str(directory / prefix.name))
            self._files.seal(iteration)
            self._files.keep(iteration, self._keep)
        except (tf.errors.OpError, OSError) as error:
            if self._saved != iteration:
                self._files.remove(iteration)
            before = f"iteration {self._saved}" if self._saved else "the start"
            raise InputError(
                f"checkpoint {prefix} cannot be written ({_reason(error)}): mend that, "
                f"and the same command goes on from {before}."
            ) from error
        self._saved = iteration


def _reason(error: Exception) -> str:
    """Returns the system's message in an error of Python or TensorFlow."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    # "{{node}} path; No space left on device [Op:SaveV2]"
    return str(error).splitlines()[0].rpartition("; ")[2].partition(" [Op:")[0]
