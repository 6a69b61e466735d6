"""A bank of summaries of real images, which are computed once and then reused.

The network, the real batch and the augmentation of an iteration depend on its number
alone. The loss needs only one summary of each class's real images, such as a centroid.
So a run can limit itself to N such draws and store their summaries. From iteration N on
it computes the synthetic side alone. The published methods have N = 0.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from hdd_tf.data.memory import available_memory
from hdd_tf.errors import InputError


class RealBank(tf.Module):
    """The summaries of the first `size` iterations, by iteration modulo `size`.

    Iteration i < size computes its summary and writes it to the bank. So the first
    `size` iterations are those of a run without a bank, no work precedes them, and the
    checkpoint of a stopped run contains the summaries computed so far.

    A bank over all real images is computed before iteration 0, is kept in files
    (filling.py), and is no part of a run's checkpoints.

    The variables of the bank are plain, not mirrored, and are in the host's memory:
    every process keeps one copy. Write to the bank outside `strategy.run` only.

    Args:
        size: Number of entries, >= 1.
        example: Summary of all classes with the structure and the shapes of all
            summaries, see `Comparison.empty_summary`.

    Attributes:
        size: Number of entries.
        num_bytes: Bytes of all entries.

    Raises:
        InputError: the entries do not fit into memory.
    """

    def __init__(self, size: int, example: Any) -> None:
        super().__init__(name="real_bank")
        self.size = size
        # In a function, which tf.Module does not track: the structure is not part of a
        # run's state.
        structure = tf.nest.map_structure(lambda part: None, example)
        self._pack = functools.partial(tf.nest.pack_sequence_as, structure)
        parts = tf.nest.flatten(example)
        self.num_bytes = size * sum(4 * part.shape.num_elements() for part in parts)
        available = available_memory()
        if available is not None and self.num_bytes > available:
            raise InputError(
                f"--real_bank_size={size} needs {self.num_bytes / 2**30:.2f} GiB, and "
                f"{available / 2**30:.2f} GiB are available: give a smaller one."
            )
        with tf.device("CPU:0"):
            self._entries = [
                tf.Variable(tf.zeros([size, *part.shape]), trainable=False)
                for part in parts
            ]

    @property
    def class_shapes(self) -> list[list[int]]:
        """Shape of each tensor of one class in all entries, `[size, ...]`."""
        return [[v.shape[0], *v.shape[2:]] for v in self._entries]

    @property
    def num_parts(self) -> int:
        """Number of tensors of a summary."""
        return len(self._entries)

    def entry(self, iteration: tf.Tensor) -> tf.Tensor:
        """Returns the number of the entry of an iteration; both are scalar int32."""
        return iteration % self.size

    def read(self, entry: tf.Tensor, classes: tf.Tensor) -> Any:
        """Returns the real summary of some classes, as it was written.

        Args:
            entry: Number of the entry, scalar int32.
            classes: `[b]` int32 class numbers.

        Returns:
            The summary of `Comparison.summarize`, float32 tensors `[b, ...]`.
        """
        with tf.device("CPU:0"):
            parts = [
                tf.gather(tf.gather(variable, entry), classes)
                for variable in self._entries
            ]
        return self._pack(parts)

    def write(self, entry: tf.Tensor, summary: list[tf.Tensor]) -> None:
        """Writes the real summary of all classes.

        Args:
            entry: Number of the entry, scalar int32.
            summary: Float32 tensors `[C, ...]` of the summary, in the order of
                `tf.nest.flatten`.
        """
        with tf.device("CPU:0"):
            for variable, part in zip(self._entries, summary, strict=True):
                variable.scatter_update(tf.IndexedSlices(part[None], entry[None]))

    def write_class(self, label: int, parts: Sequence[np.ndarray]) -> None:
        """Writes the real summaries of a class in all entries, outside a graph.

        Args:
            label: Class number.
            parts: Float32 arrays `[size, ...]`, in the order of `tf.nest.flatten`.
        """
        for variable, part in zip(self._entries, parts, strict=True):
            variable[:, label].assign(part)
