"""The processes of a run on several machines: who is chief, and what they agree on.

Every process computes its share of the classes and has a copy of the whole state. Only
the chief (worker 0) writes and scores. What may differ among processes, such as whether
a signal came or how long a call should be, they agree on before they act on it: else
one of them would wait for a sum that the others never take part in.
"""

import contextlib
import hashlib
import json
import signal
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from hdd_tf.distributed.signal_watch import SignalWatch, ends_in_time
from hdd_tf.errors import (
    EXPECTED,
    InputError,
    InterruptedRunError,
    LostWorkerError,
)

# What collective operations end with when a process is gone.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)
# What the chief answers instead of what it was asked, where it has to end: this, or
# less by the number of the signal.
_CHIEF_FAILED = -1


class Workers:
    """The processes that share a strategy; of one process, all this is free.

    Args:
        strategy: Of the run.
        watch: Hears signals while this process waits for another.
    """

    def __init__(self, strategy: tf.distribute.Strategy, watch: SignalWatch) -> None:
        self._watch = watch
        self._all_take_part = False
        resolver = strategy.cluster_resolver
        spec = resolver.cluster_spec() if resolver else None
        self.count = spec.num_tasks("worker") if spec else 1
        self.index = resolver.task_id if self.count > 1 else 0
        self._strategy = strategy
        self._total = tf.function(
            self._sum, input_signature=[tf.TensorSpec([], tf.int64)]
        )

    @property
    def is_chief(self) -> bool:
        """Whether this process writes and scores."""
        return self.index == 0

    def any(self, flag: bool) -> bool:
        """Says whether a flag is set in any process; all have to ask.

        Raises:
            InputError: the chief has ended, because it had to.
            InterruptedRunError: likewise, by a signal.
        """
        return bool(self._over_processes(int(flag))) if self.count > 1 else flag

    def of_chief(self, value: int) -> int:
        """Returns the chief's value, >= 0, in every process; all have to ask.

        Raises:
            InputError: the chief has ended, because it had to.
            InterruptedRunError: likewise, by a signal.
        """
        if self.count == 1:
            return value
        return self._over_processes(value if self.is_chief else 0)

    def compare(self, what: str, value: Any) -> None:
        """Makes sure that all processes have the same; all have to ask.

        Args:
            what: Name of the value, in the plural.
            value: What JSON can hold.

        Raises:
            InputError: a process has another value; all of them raise it. Or as `any`.
            InterruptedRunError: as `any`.
        """
        digest = hashlib.sha256(json.dumps(value).encode()).digest()
        mine = int.from_bytes(digest[:6])  # 48 bits, so that no sum overflows.
        with self.all_take_part():
            differs = self.of_chief(mine) != mine
            if self.any(differs):
                who = f"worker {self.index}" if differs else "a worker"
                raise InputError(
                    f"{who} of TF_CONFIG has other {what} than the chief: give all of "
                    "them the same command and the same data."
                )

    def wait(self) -> None:
        """Waits until every process is here; the chief, of what is left of them."""
        try:
            self.any(False)
        except _LOST:  # All is written.
            if not self.is_chief:
                raise

    @contextlib.contextmanager
    def all_take_part(self) -> Iterator[None]:
        """Marks work that the others do as well, at the same time.

        Outside it, the next thing they do is to ask the chief, and `chief_dismisses`
        can answer.
        """
        self._all_take_part = True
        yield
        # Not where an error ends it: it is looked at further out.
        self._all_take_part = False

    @contextlib.contextmanager
    def chief_alone(self) -> Iterator[None]:
        """Marks work within `all_take_part` for whose end the others wait."""
        self._all_take_part = False
        yield
        self._all_take_part = True

    @contextlib.contextmanager
    def chief_dismisses(self) -> Iterator[None]:
        """Tells the processes that wait for the chief, if an error ends it."""
        try:
            yield
        except EXPECTED as error:
            chief_of_others = self.is_chief and self.count > 1
            if chief_of_others and not self._all_take_part:
                self._dismiss(error)
            raise

    @contextlib.contextmanager
    def lost_ones_told(self) -> Iterator[None]:
        """Turns what TensorFlow says when a process is gone into one line.

        Raises:
            LostWorkerError: another process has ended.
        """
        try:
            yield
        except _LOST as error:
            if self.count == 1:
                raise
            raise LostWorkerError(
                "another worker of TF_CONFIG has ended or cannot be reached: see what "
                "it said, and start all of them again with the same command, which "
                "goes on from the last checkpoint."
            ) from error

    def _dismiss(self, error: BaseException) -> None:
        answer = _CHIEF_FAILED
        if isinstance(error, InterruptedRunError):
            answer -= error.stopped_by
        # They may be far from asking, or gone.
        with ends_in_time(error), contextlib.suppress(*_LOST):
            self._sum_of_processes(answer)

    def _over_processes(self, value: int) -> int:
        # What a chief has computed it has yet to save, and the others are not far.
        computing = self.is_chief and self._all_take_part
        with contextlib.nullcontext() if computing else self._watch.long_wait():
            total = self._sum_of_processes(value)
        if total == _CHIEF_FAILED:
            raise InputError(
                "the chief (worker 0 of TF_CONFIG) has ended: see what it said, and "
                "start all workers again with the same command."
            )
        if total < 0:
            raise InterruptedRunError(signal.Signals(_CHIEF_FAILED - total))
        return total

    def _sum_of_processes(self, value: int) -> int:
        total = int(self._total(tf.constant(value, tf.int64)))
        # Each of a process's replicas has given its value.
        replicas = self._strategy.num_replicas_in_sync // self.count
        return total // replicas

    def _sum(self, value: tf.Tensor) -> tf.Tensor:
        values = self._strategy.run(lambda: tf.identity(value))
        return self._strategy.reduce("SUM", values, axis=None)
