"""Which expert and which of its epochs an iteration matches."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hdd_tf.random_keys import Purpose, derive_key


@dataclasses.dataclass(frozen=True)
class StartEpochs:
    """The epochs that a student may start from, which widen slowly.

    In iteration i the epochs `least`, ..., bound(i) - 1 with bound(i) = min(largest,
    first + floor((largest - first) i / widening)).

    Source: Guo et al., "Towards Lossless Dataset Distillation via Difficulty-Aligned
    Trajectory Matching" (DATM), ICLR 2024, and its program.

    Attributes:
        least: First epoch, >= 0.
        first: Bound in iteration 0, above `least`.
        largest: Largest bound, at least `first`.
        widening: Iterations until the bound is largest; 0: it is so from the start.
    """

    least: int
    first: int
    largest: int
    widening: int

    def bound(self, iteration: tf.Tensor) -> tf.Tensor:
        """Returns the bounds of iterations, int32 like these."""
        if not self.widening:
            return tf.fill(tf.shape(iteration), self.largest)
        # In 64 bits, as a run may be long.
        done = tf.cast(tf.minimum(iteration, self.widening), tf.int64)
        wider = done * (self.largest - self.first) // self.widening
        return self.first + tf.cast(wider, tf.int32)

    def draw(self, seed: int, iteration: tf.Tensor) -> tf.Tensor:
        """Returns the epoch of an iteration, int32."""
        key = derive_key(seed, Purpose.TRAJECTORY_EPOCH, iteration)
        bound = self.bound(iteration)
        return tf.random.stateless_uniform([], key, self.least, bound, tf.int32)


def expert_of(seed: int, iteration: tf.Tensor, experts: int) -> tf.Tensor:
    """Returns the next expert of a shuffled order of all, int32.

    Args:
        seed: Seed of the run.
        iteration: Number of the iteration, scalar int32 tensor.
        experts: Number of experts.
    """
    key = derive_key(seed, Purpose.TRAJECTORY_ORDER, iteration // experts)
    order = tf.random.experimental.stateless_shuffle(tf.range(experts), key)
    return tf.gather(order, iteration % experts)


class TrajectoryDraws:
    """What the iterations of a run match.

    Args:
        seed: Seed of the run.
        experts: Number of experts.
        epochs: The epochs that a student may start from.
        span: Epochs of the expert from there to the end, >= 1.
    """

    def __init__(self, seed: int, experts: int, epochs: StartEpochs, span: int) -> None:
        self._seed = seed
        self._experts = experts
        self._epochs = epochs
        self._span = span
        self._graph: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = None

    def draw(self, iteration: tf.Tensor) -> tf.Tensor:
        """Returns the expert of an iteration and the epochs of both ends, `[3]`."""
        expert = expert_of(self._seed, iteration, self._experts)
        epoch = self._epochs.draw(self._seed, iteration)
        return tf.stack([expert, epoch, epoch + self._span])

    def of_iterations(self, start: int, count: int) -> np.ndarray:
        """Returns what iterations from `start` on draw, `[count, 3]` int32."""
        if self._graph is None:
            # Compiled: a start of a thousand small operations would be slow.
            self._graph = tf.function(
                lambda first, number: tf.map_fn(
                    self.draw, tf.range(first, first + number)
                ),
                input_signature=[tf.TensorSpec([], tf.int32)] * 2,
                autograph=False,
            )
        return self._graph(tf.constant(start), tf.constant(count)).numpy()
