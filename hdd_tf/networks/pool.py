"""A pool of networks that are trained a little at a time, as stacked variables.

The pool has one variable `[capacity, ...]` a weight. So a network is a row, no model is
built again, and a graph picks networks by number. The iteration determines which
networks are in the pool: the k-th network that joined has row k modulo capacity, and
once all rows are taken the newest network replaces the oldest.

Source: Zhao et al., "Improved Distribution Matching" (IDM), CVPR 2023, section 3.3.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from hdd_tf.data.memory import check_room
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.random_keys import Purpose, derive_key

# Suffix of a variable's value in the names of a checkpoint.
_VALUE = ".ATTRIBUTES/VARIABLE_VALUE"


@dataclasses.dataclass(frozen=True)
class PoolSchedule:
    """When networks join and leave the pool.

    Attributes:
        start: Networks in the pool before the first iteration, >= 1.
        join_every: Iterations between fresh networks, the first of which joins at
            iteration 0.
        capacity: Largest number of networks, more than `start`. A network that joins a
            full pool replaces the oldest.
        reset_every: Iterations between resets of the accuracy meters.
    """

    start: int = 3
    join_every: int = 30
    capacity: int = 100
    reset_every: int = 100

    def joined(self, iteration: tf.Tensor) -> tf.Tensor:
        """Returns the number of networks that have joined by `iteration`, included."""
        return self.start + 1 + iteration // self.join_every

    def live(self, iteration: tf.Tensor) -> tf.Tensor:
        """Returns the number of networks in the pool, the rows 0, ..., live - 1."""
        return tf.minimum(self.joined(iteration), self.capacity)

    def oldest(self, iterations: int) -> int:
        """Returns the row of the network longest in the pool after `iterations`."""
        joined = self.start + 1 + max(iterations - 1, 0) // self.join_every
        return max(joined - self.capacity, 0) % self.capacity


class NetworkPool(tf.Module):
    """The networks of a pool, their velocities and their accuracy meters.

    The variables of the pool are plain, not mirrored: every process keeps one copy.
    Write to the pool outside `strategy.run` only.

    Args:
        network: The network, a function of its weights.
        schedule: When networks join and leave the pool.
        seed: Seed of the run. The initial weights of the k-th network that joins depend
            on the seed and k alone.

    Raises:
        InputError: memory cannot hold the pool.
    """

    def __init__(
        self, network: FunctionalNetwork, schedule: PoolSchedule, seed: int
    ) -> None:
        super().__init__(name="network_pool")
        self._network = network
        self._schedule = schedule
        self._seed = seed
        rows = schedule.capacity
        shapes = [[rows, *shape] for shape in network.weight_shapes]
        check_room(
            f"--idm_pool_size={rows}: the pool of networks with their velocities",
            2 * 4 * sum(math.prod(shape) for shape in shapes),
            "give a smaller one",
        )
        self._weights = [_state(shape) for shape in shapes]
        self._velocities = [_state(shape) for shape in shapes]
        self._correct = _state([rows])
        self._seen = _state([rows])
        for row in range(schedule.start):
            self._put_fresh(tf.constant(row))

    def admit_newcomer(self, iteration: tf.Tensor) -> None:
        """Resets the meters and adds a fresh network, if they are due at `iteration`.

        Args:
            iteration: Scalar int32 tensor.
        """
        _if_due(iteration, self._schedule.reset_every, self._empty_meters)
        newest = self._schedule.joined(iteration) - 1
        _if_due(iteration, self._schedule.join_every, lambda: self._put_fresh(newest))

    def pick(self, iteration: tf.Tensor, count: int, key: tf.Tensor) -> tf.Tensor:
        """Draws different networks of the pool.

        Args:
            iteration: Scalar int32 tensor, after `admit_newcomer` of that iteration.
            count: Number of networks, at most `start + 1`.
            key: `[2]` int32 key of the draw.

        Returns:
            `[count]` int32 rows, without repetition.
        """
        live = self._schedule.live(iteration)
        return tf.random.experimental.stateless_shuffle(tf.range(live), key)[:count]

    def weights(self, row: tf.Tensor) -> list[tf.Tensor]:
        """Returns the weights of the network at a row."""
        return [tf.gather(variable, row) for variable in self._weights]

    def velocities(self, row: tf.Tensor) -> list[tf.Tensor]:
        """Returns the velocities of the network's optimiser, one a weight."""
        return [tf.gather(variable, row) for variable in self._velocities]

    def running_accuracy(self, row: tf.Tensor) -> tf.Tensor:
        """Returns the network's training accuracy since the last reset, in percent.

        The accuracy is 0 if the network has not trained since then.
        """
        correct, seen = tf.gather(self._correct, row), tf.gather(self._seen, row)
        return 100.0 * tf.math.divide_no_nan(correct, seen)

    def put(
        self,
        row: tf.Tensor,
        weights: list[tf.Tensor],
        velocities: list[tf.Tensor],
        correct: tf.Tensor | float = 0.0,
        seen: tf.Tensor | float = 0.0,
    ) -> None:
        """Puts a network back after training.

        Args:
            row: Scalar int32 row of the network.
            weights: New weights of the network.
            velocities: New velocities of the network's optimiser.
            correct: Number of correctly classified training images to add to the meter.
            seen: Number of training images to add to the meter.
        """
        for variables, values in (
            (self._weights, weights),
            (self._velocities, velocities),
        ):
            for variable, value in zip(variables, values, strict=True):
                variable.scatter_update(tf.IndexedSlices(value[None], row[None]))
        for meter, value in ((self._correct, correct), (self._seen, seen)):
            meter.scatter_add(
                tf.IndexedSlices(tf.convert_to_tensor(value)[None], row[None])
            )

    def _put_fresh(self, joining: tf.Tensor) -> None:
        row = joining % self._schedule.capacity
        key = derive_key(self._seed, Purpose.POOL_NETWORK, joining)
        weights = self._network.initial_weights(key)
        self.put(row, weights, [tf.zeros_like(weight) for weight in weights])
        for meter in (self._correct, self._seen):
            meter.scatter_update(tf.IndexedSlices([0.0], row[None]))

    def _empty_meters(self) -> None:
        for meter in (self._correct, self._seen):
            meter.assign(tf.zeros_like(meter))


def read_network(reader: Any, pool: str, row: int) -> list[np.ndarray]:
    """Reads the weights of one network from a checkpoint, without building the pool.

    Args:
        reader: Checkpoint reader, as `tf.train.load_checkpoint` returns it.
        pool: Path of the `NetworkPool` among the checkpoint's objects.
        row: Row of the network.

    Returns:
        Float32 weights in the order of the network's `weight_shapes`.

    Raises:
        KeyError: the checkpoint holds no pool at that path.
    """
    shapes = reader.get_variable_to_shape_map()
    weights: list[np.ndarray] = []
    while (name := f"{pool}/_weights/{len(weights)}/{_VALUE}") in shapes:
        weights.append(reader.get_tensor(name)[row])
    if not weights:
        raise KeyError(pool)
    return weights


def _if_due(iteration: tf.Tensor, every: int, action: Callable[[], None]) -> None:
    """Runs an action in the graph if `every` divides `iteration`."""

    def act() -> tf.Tensor:
        action()
        return tf.constant(True)

    tf.cond(iteration % every == 0, act, lambda: tf.constant(False))


def _state(shape: list[int]) -> tf.Variable:
    return tf.Variable(tf.zeros(shape), trainable=False)
