"""Which classes a replica has, and the rows in which it holds them."""

import dataclasses

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class ClassShares:
    """Classes split over R replicas: replica r has the classes r, r + R, r + 2R, ...

    A replica holds its classes as rows in that order, so class c is row c // R. All
    replicas have the same number of rows, of which the last can be padding.

    Attributes:
        num_classes: Number of classes C.
        num_replicas: Number of replicas R.
    """

    num_classes: int
    num_replicas: int

    @property
    def rows(self) -> int:
        """Number of rows S of a replica, padding included."""
        return -(-self.num_classes // self.num_replicas)

    def classes_of(self, first_row: int, count: int) -> np.ndarray:
        """Returns the classes of some rows of all replicas, `[R, count]` int64.

        Args:
            first_row: First of the rows.
            count: Number of rows.

        Returns:
            The class numbers; C and above for padding.
        """
        rows = np.arange(first_row, first_row + count)
        return rows * self.num_replicas + np.arange(self.num_replicas)[:, None]

    def of_process(self, strategy: tf.distribute.Strategy) -> np.ndarray:
        """Returns the classes of this process' replicas, in ascending order.

        They include the classes with which `ClassBlocks` pads a replica's share.

        Args:
            strategy: Strategy of the replicas.
        """
        replicas = np.array(_replicas_of_process(strategy))[:, None]
        classes = replicas + self.num_replicas * np.arange(self.rows)
        known = classes[classes < self.num_classes]
        return np.unique([*known, *(replicas[:, 0] % self.num_classes)])

    def own(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the classes of the calling replica; call it within `strategy.run`.

        Returns:
            `[S]` int32 class numbers, and `[S]` bool: False for padding, whose number
            is that of any class.
        """
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        classes = tf.range(self.rows) * self.num_replicas + replica
        valid = classes < self.num_classes
        return tf.where(valid, classes, 0), valid

    def row_of(self, classes: tf.Tensor) -> tf.Tensor:
        """Returns the rows of class numbers, on the replica that has the classes."""
        return classes // self.num_replicas

    def place(self, rows: tf.Tensor) -> tf.Tensor:
        """Places the values of the calling replica's rows among those of all classes.

        Args:
            rows: `[S, ...]` values of the calling replica's rows, each finite or of a
                class of its own.

        Returns:
            `[C, ...]`, zero for the classes of other replicas. The sum over the
            replicas has the values of all classes.
        """
        classes, valid = self.own()
        valid = tf.reshape(valid, [-1] + [1] * (rows.shape.rank - 1))
        rows = tf.where(valid, rows, tf.zeros_like(rows))
        return tf.scatter_nd(
            classes[:, None], rows, [self.num_classes, *rows.shape[1:]]
        )


def has_other_processes(strategy: tf.distribute.Strategy) -> bool:
    """Returns True if other processes have replicas too."""
    return len(_replicas_of_process(strategy)) < strategy.num_replicas_in_sync


def _replicas_of_process(strategy: tf.distribute.Strategy) -> list[int]:
    """Returns the numbers of this process' replicas."""

    def number() -> tf.Tensor:
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return tf.identity(replica)

    numbers = strategy.run(tf.function(number, autograph=False))
    return [int(n) for n in strategy.experimental_local_results(numbers)]
