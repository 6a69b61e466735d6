"""The processes of a run on several machines: who is chief, and what they agree on.

Every process runs the same program, computes its share of the classes and has a copy of
the whole state; only the chief (worker 0) writes and scores. Processes must agree on
whatever may differ among them, such as whether a signal came or how long a call should
be, before they act on it: otherwise one of them would wait for a sum that the others
never take part in.

Each agreement has a name, and the names are compared: processes that have come to
different places end with an error that says so, and do not mix up their values.
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
# What the chief says when an error ends it: this, or with a signal its number more.
_CHIEF_FAILED = 1


class Workers:
    """The processes that share a strategy; with a single process all calls are free.

    Args:
        strategy: The strategy of the run.
        watch: Hears signals while this process waits for another one; None: a watch
            that is not started, for a single process.
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
        self._total = tf.function(
            self._sum, input_signature=[tf.TensorSpec([3], tf.int64)]
        )

    @property
    def is_chief(self) -> bool:
        """Whether this process writes and scores."""
        return self.index == 0

    def any_process(self, name: str, flag: bool) -> bool:
        """Returns whether a flag is set in any process; all of them must call it.

        Args:
            name: The name of the agreement, the same in all processes.
            flag: The flag of this process.

        Raises:
            InputError: the chief has ended with an error.
            InterruptedRunError: a signal has ended the chief.
            RuntimeError: the processes have come to different agreements.
        """
        return bool(self._agree(name, int(flag))) if self.count > 1 else flag

    def broadcast(self, name: str, value: int) -> int:
        """Returns the chief's value in every process; all of them must call it.

        Args:
            name: The name of the agreement, the same in all processes.
            value: The chief's value, >= 0; the values of others are ignored.

        Raises:
            InputError: the chief has ended with an error.
            InterruptedRunError: a signal has ended the chief.
            RuntimeError: the processes have come to different agreements.
        """
        if self.count == 1:
            return value
        return self._agree(name, value if self.is_chief else 0)

    def assert_same(self, what: str, value: Any) -> None:
        """Checks that all processes have the same value; all of them must call it.

        Args:
            what: What the value is, in the plural; it is the name of the agreement.
            value: A value that JSON can hold.

        Raises:
            InputError: a process has another value (all processes raise it), or the
                chief has ended with an error.
            InterruptedRunError: a signal has ended the chief.
            RuntimeError: the processes have come to different agreements.
        """
        mine = _digest(json.dumps(value))
        with self.all_take_part():
            differs = self.broadcast(what, mine) != mine
            if self.any_process(f"other {what}", differs):
                who = f"worker {self.index}" if differs else "a worker"
                raise InputError(
                    f"{who} of TF_CONFIG has other {what} than the chief: give all of "
                    "them the same command and the same data."
                )

    def wait(self, name: str) -> None:
        """Waits until every process is here; the chief waits only for those alive."""
        try:
            self.any_process(name, False)
        except _LOST:  # All is written.
            if not self.is_chief:
                raise

    @contextlib.contextmanager
    def chief_first(self, name: str) -> Iterator[None]:
        """Lets the chief do some work before the other processes do the same work.

        For work whose result the chief writes to files and the others read.

        Args:
            name: The name of the agreement, the same in all processes.
        """
        if not self.is_chief:
            self.broadcast(name, 0)
        yield
        if self.is_chief:
            self.broadcast(name, 0)

    @contextlib.contextmanager
    def all_take_part(self) -> Iterator[None]:
        """Marks work that all processes do at the same time.

        Outside such work the next call of the others is an agreement, which
        `chief_dismisses` can answer.
        """
        self._all_take_part = True
        yield
        # Not where an error ends it: it is looked at further out.
        self._all_take_part = False

    @contextlib.contextmanager
    def chief_alone(self) -> Iterator[None]:
        """Marks work of the chief, within `all_take_part`, that the others wait for."""
        self._all_take_part = False
        yield
        self._all_take_part = True

    @contextlib.contextmanager
    def chief_dismisses(self) -> Iterator[None]:
        """Tells the processes that wait for the chief when an error ends it."""
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
        reason = _CHIEF_FAILED
        if isinstance(error, InterruptedRunError):
            reason += error.stopped_by
        # They may be far from asking, or gone.
        with ends_in_time(error), contextlib.suppress(*_LOST):
            self._sum_of_processes([0, 0, reason])

    def _agree(self, name: str, value: int) -> int:
        """Returns the sum of all processes' values, whose names must be the same."""
        mine = _digest(name)
        # What a chief has computed it has yet to save, and the others are not far.
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

    def _sum_of_processes(self, values: list[int]) -> list[int]:
        totals = self._total(tf.constant(values, tf.int64)).numpy()
        # Each of a process's replicas has given its values.
        replicas = self._strategy.num_replicas_in_sync // self.count
        return [int(total) // replicas for total in totals]

    def _sum(self, values: tf.Tensor) -> tf.Tensor:
        of_replicas = self._strategy.run(lambda: tf.identity(values))
        return self._strategy.reduce("SUM", of_replicas, axis=None)


def _digest(text: str) -> int:
    """Returns 48 bits that tell texts apart, few enough that no sum overflows."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])
