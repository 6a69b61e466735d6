"""Sums over the replicas, in the graph of an iteration, and how large they are."""

import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

# Those that `counted_sums` has opened: tracing is done by one thread at a time.
_COUNTS: list[list[int]] = []


def sum_over_replicas(strategy: tf.distribute.Strategy, parts: Any) -> Any:
    """Returns the sums over the replicas; call it outside `strategy.run`.

    Args:
        strategy: The strategy.
        parts: Structure of what `strategy.run` returned for tensors.

    Returns:
        The sums in the same structure, the same on all replicas and in all processes.
    """

    def summed(part: Any) -> tf.Tensor:
        total = strategy.reduce("SUM", part, axis=None)
        for count in _COUNTS:
            count.append(total.shape.num_elements() * total.dtype.size)
        return total

    return tf.nest.map_structure(summed, parts)


@contextlib.contextmanager
def counted_sums() -> Iterator[list[int]]:
    """Gives the bytes of every sum that is traced within the block, in a list."""
    count: list[int] = []
    _COUNTS.append(count)
    try:
        yield count
    finally:
        _COUNTS.remove(count)
