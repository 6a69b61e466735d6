"""Real features' summaries that are computed once and revisited ever after.

What an iteration sees of the real images is a function of its number alone: the network
that is drawn for it, the batch, and the augmentation. And all that its loss needs of
them is one summary of each class, a centroid. So a run may look at N such draws only,
keep their summaries, and from iteration N on pay for the synthetic side alone. This is
no published method: N = 0 is.
"""

import functools
from typing import Any

import tensorflow as tf

from hdd_tf.data.memory import available_memory
from hdd_tf.errors import InputError


class RealBank(tf.Module):
    """The summaries of the first `size` iterations, by iteration modulo `size`.

    Iteration i < size computes its own and writes it, so that these are the iterations
    of a run without a bank, there is nothing to wait for before them, and what a run
    that is stopped has computed lies in its checkpoint.

    Its variables are plain, not mirrored, and lie in the host's memory: every process
    keeps one copy. Write to it outside `strategy.run` only.

    Args:
        size: Number of entries, >= 1.
        example: A summary of all classes, structured and shaped as all will be; see
            `Comparison.empty_summary`.

    Raises:
        InputError: memory cannot hold the entries.
    """

    def __init__(self, size: int, example: Any) -> None:
        super().__init__(name="real_bank")
        self.size = size
        # A function, which tf.Module does not track: it is no part of a run's state.
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
    def num_parts(self) -> int:
        """Of how many tensors a summary consists."""
        return len(self._entries)

    def entry(self, iteration: tf.Tensor) -> tf.Tensor:
        """Returns the number of the entry of an iteration; both are scalar int32."""
        return iteration % self.size

    def read(self, entry: tf.Tensor, classes: tf.Tensor) -> Any:
        """Returns the real summary of some classes, as it was written.

        Args:
            entry: Its number, scalar int32.
            classes: `[b]` int32.

        Returns:
            What `Comparison.summarize` gave: float32 tensors `[b, ...]`.
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
            entry: Its number, scalar int32.
            summary: Its float32 parts `[C, ...]`, in their order there.
        """
        with tf.device("CPU:0"):
            for variable, part in zip(self._entries, summary, strict=True):
                variable.scatter_update(tf.IndexedSlices(part[None], entry[None]))
