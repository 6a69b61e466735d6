"""Variables of all classes, of which each replica has the rows of its own classes."""

from collections.abc import Callable

import tensorflow as tf

from hdd_tf.distributed.class_shares import ClassShares

# Bound on what is gathered at once, so that no device has to hold all classes.
_GATHERED_BYTES = 64 * 2**20


class SpreadVariable:
    """Rows of all classes, spread over the replicas while iterations change them.

    Each replica reads and writes the rows of its own classes, without a word to the
    others. Whoever needs the rows of all classes gathers them, into a copy in the
    memory of each process' host. Checkpoints hold the copy, so a run can go on with
    another number of devices.

    Args:
        whole: `[C, ...]` variable in the memory of the host, with the initial values.
        shares: Split of the classes over the replicas.
        strategy: Strategy of the replicas.

    Attributes:
        whole: The rows of all classes as they were last gathered.
        own: `[S, ...]` variable of the calling replica's rows; read and write it within
            `strategy.run` only.
        shares: Split of the classes over the replicas.
        is_whole: True if `whole` has the present values. It is then what counts: the
            replicas get their rows from it.
    """

    def __init__(
        self,
        whole: tf.Variable,
        shares: ClassShares,
        strategy: tf.distribute.Strategy,
    ) -> None:
        self.whole = whole
        self.shares = shares
        self.is_whole = True
        self._strategy = strategy
        with strategy.scope():
            self.own = tf.Variable(
                tf.zeros([shares.rows, *whole.shape[1:]], whole.dtype),
                trainable=False,
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.NONE,
            )
        row_bytes = whole.shape[1:].num_elements() * whole.dtype.size
        at_once = _GATHERED_BYTES // (row_bytes * shares.num_replicas)
        self._rows_at_once = min(shares.rows, max(1, at_once))
        self._spread = tf.function(
            lambda: strategy.run(self._take_own), autograph=False
        )
        # A function of its own, or TensorFlow warns that one is traced again and again.
        self._gather = tf.function(
            lambda first: self._gathered(first),
            input_signature=[tf.TensorSpec([], tf.int32)],
            autograph=False,
        )

    def alike(self, whole: tf.Variable) -> "SpreadVariable":
        """Spreads another variable over the same replicas, in the same way."""
        return SpreadVariable(whole, self.shares, self._strategy)

    def spread(self) -> None:
        """Gives each replica its rows of `whole`; without communication."""
        if self.is_whole:
            self._spread()
            self.is_whole = False

    def gather(self) -> None:
        """Gathers the rows of all replicas in `whole`; all processes must call it."""
        if self.is_whole:
            return
        shares, count = self.shares, self._rows_at_once
        for start in range(0, shares.rows, count):
            first = min(start, shares.rows - count)
            values = self._gather(tf.constant(first))
            classes = shares.classes_of(first, count).reshape(-1)
            known = classes < shares.num_classes
            with tf.device("CPU:0"):
                rows = tf.boolean_mask(values, known)
                self.whole.scatter_update(tf.IndexedSlices(rows, classes[known]))
        self.is_whole = True

    def map(self, of_rows: Callable[[tf.Tensor], tf.Tensor]) -> None:
        """Replaces the rows of every replica; call it outside `strategy.run`.

        Args:
            of_rows: Function from rows `[S, ...]` to new ones.
        """
        self._strategy.run(
            lambda: self.own.assign(of_rows(tf.convert_to_tensor(self.own)))
        )

    def reader(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """Reads the calling replica's rows; call it within `strategy.run`.

        Returns:
            Function from `[b]` int32 numbers of classes of the replica to their values
            `[b, ...]`, as they were at the call of `reader`.
        """
        own = tf.convert_to_tensor(self.own)
        return lambda classes: tf.gather(own, self.shares.row_of(classes))

    def _take_own(self) -> None:
        classes, valid = self.shares.own()
        # There, because a device need not have room for all classes.
        with tf.device("CPU:0"):
            rows = tf.gather(self.whole, classes)
        valid = tf.reshape(valid, [-1] + [1] * (rows.shape.rank - 1))
        self.own.assign(tf.where(valid, rows, tf.zeros_like(rows)))

    def _gathered(self, first: tf.Tensor) -> tf.Tensor:
        """Returns some rows of all replicas, replica by replica."""
        count = self._rows_at_once
        parts = self._strategy.run(
            lambda: tf.convert_to_tensor(self.own)[first : first + count]
        )
        return self._strategy.gather(parts, axis=0)
