"""Sums over the processes of a run, and agreements by them.

Each agreement has a name, and the processes compare the names. So processes at
different places of the program end with an error that says so, and do not mix up their
values.
"""

import contextlib
import hashlib
import signal

import tensorflow as tf

from hdd_tf.distributed.signal_watch import SignalWatch, ends_in_time
from hdd_tf.errors import InputError, InterruptedRunError

# Errors of collective operations after another process has ended.
LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)
# Value that the chief sends when an error ends it; for a signal, its number is added.
_CHIEF_FAILED = 1


class Agreements:
    """The processes that share a strategy, and the sums of what they send.

    Args:
        strategy: The strategy of the run.
        watch: Watch for signals while this process waits for another one; None for a
            watch that is not active, which is enough for a single process.

    Attributes:
        count: Number of processes.
        index: Index of this process, 0 for the chief.
    """

    def __init__(
        self, strategy: tf.distribute.Strategy, watch: SignalWatch | None = None
    ) -> None:
        self._watch = watch or SignalWatch()
        self._all_take_part = False
        resolver = strategy.cluster_resolver
        spec = resolver.cluster_spec() if resolver else None
        self.count = spec.num_tasks("worker") if spec else 1
        self.index = resolver.task_id if self.count > 1 else 0
        self._strategy = strategy
        # A trace for the three values of an agreement, and one for each length of text.
        self._total = tf.function(self._sum)

    @property
    def is_chief(self) -> bool:
        """True if this process writes and evaluates."""
        return self.index == 0

    def _agree(self, name: str, value: int) -> int:
        """Returns the sum of the values of all processes.

        Args:
            name: The name of the agreement, the same in all processes.
            value: The value of this process, >= 0.

        Raises:
            InputError: the chief has ended with an error.
            InterruptedRunError: a signal has ended the chief.
            RuntimeError: the processes have come to different agreements.
        """
        mine = digest(name)
        # In work of all processes the chief has results to save, so a signal must not
        # end its wait, which is short.
        computing = self.is_chief and self._all_take_part
        with contextlib.nullcontext() if computing else self._watch.long_wait():
            total, names, dismissed = self._sum_of_processes([value, mine, 0])
        if dismissed == _CHIEF_FAILED:
            raise InputError(
                "the chief (worker 0 of TF_CONFIG) has ended: see what it said, and "
                "start all workers again with the same command."
            )
        if dismissed:
            raise InterruptedRunError(signal.Signals(dismissed - _CHIEF_FAILED))
        if names != mine * self.count:
            raise RuntimeError(
                f"worker {self.index} of TF_CONFIG has come to {name!r}, and another "
                "worker to another place of the program. This is a fault of hdd_tf: "
                "please report it with the command and the output of all workers."
            )
        return total

    def _dismiss(self, error: BaseException) -> None:
        reason = _CHIEF_FAILED
        if isinstance(error, InterruptedRunError):
            reason += error.stopped_by
        # The other processes may be far from their next agreement, or have ended.
        with ends_in_time(error), contextlib.suppress(*LOST):
            self._sum_of_processes([0, 0, reason])

    def _sum_of_processes(self, values: list[int]) -> list[int]:
        totals = self._total(tf.constant(values, tf.int64)).numpy()
        # The sum counts the values of a process once for each of its replicas.
        replicas = self._strategy.num_replicas_in_sync // self.count
        return [int(total) // replicas for total in totals]

    def _sum(self, values: tf.Tensor) -> tf.Tensor:
        of_replicas = self._strategy.run(lambda: tf.identity(values))
        return self._strategy.reduce("SUM", of_replicas, axis=None)


def digest(text: str) -> int:
    """Returns 48 bits of a text's digest, few enough that no sum overflows."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])
