"""The processes of a run on several machines: the chief, and the agreements of all.

Every process runs the same program, computes its share of the classes and has a copy of
the whole state. Only the chief (worker 0) writes and evaluates. Before the processes
act on a value that may differ among them, such as whether a signal came or how long a
call should be, they must agree on it. Otherwise a process would wait for a sum that the
others never take part in.

Each agreement has a name, and the processes compare the names. So processes at
different places of the program end with an error that says so, and do not mix up their
values.
"""

import contextlib
import hashlib
import json
import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from hdd_tf.distributed.signal_watch import SignalWatch, ends_in_time
from hdd_tf.errors import (
    EXPECTED,
    InputError,
    InterruptedRunError,
    LostWorkerError,
)
from hdd_tf.signals import interruptions_named

# Errors of collective operations after another process has ended.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)
# Value that the chief sends when an error ends it; for a signal, its number is added.
_CHIEF_FAILED = 1


class Workers:
    """The processes that share a strategy.

    If there is a single process, no call communicates.

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

    def any_process(self, name: str, flag: bool) -> bool:
        """Returns whether a flag is set in any process; all processes must call it.

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
        """Returns the chief's value in every process; all processes must call it.

        Args:
            name: The name of the agreement, the same in all processes.
            value: The chief's value, >= 0; the values of other processes are ignored.

        Raises:
            InputError: the chief has ended with an error.
            InterruptedRunError: a signal has ended the chief.
            RuntimeError: the processes have come to different agreements.
        """
        if self.count == 1:
            return value
        return self._agree(name, value if self.is_chief else 0)

    def assert_same(self, what: str, value: Any) -> None:
        """Checks that all processes have the same value; all processes must call it.

        Args:
            what: The name of the value in messages, in the plural; it is also the name
                of the agreement.
            value: A value that JSON can represent.

        Raises:
            InputError: a process has another value (all processes raise it), or the
                chief has ended with an error.
            InterruptedRunError: a signal has ended the chief.
            RuntimeError: the processes have come to different agreements.
        """
        mine = _digest(json.dumps(value))
        with self.all_take_part():
            self.refuse_other(what, self.broadcast(what, mine) != mine)

    def refuse_other(self, what: str, differs: bool) -> None:
        """Ends all processes if one differs from the chief; all must call it.

        Args:
            what: The name of what they compare in messages, in the plural; it is also
                the name of the agreement.
            differs: Whether this process differs.

        Raises:
            InputError: a process differs (all processes raise it), or the chief has
                ended with an error.
            InterruptedRunError: a signal has ended the chief.
            RuntimeError: the processes have come to different agreements.
        """
        if self.any_process(f"other {what}", differs):
            who = f"worker {self.index}" if differs else "a worker"
            raise InputError(
                f"{who} of TF_CONFIG has other {what} than the chief: give all of "
                "them the same command and the same data."
            )

    def tell(self, name: str, value: Any) -> Any:
        """Returns the chief's value in every process; all processes must call it.

        Args:
            name: The name of the agreement, the same in all processes.
            value: The chief's value, which JSON can represent; the values of other
                processes are ignored.

        Returns:
            The value as JSON has it, with lists in place of tuples.

        Raises:
            InputError: the chief has ended with an error.
            InterruptedRunError: a signal has ended the chief.
            RuntimeError: the processes have come to different agreements.
        """
        text = json.dumps(value).encode() if self.is_chief else b""
        length = self.broadcast(name, len(text))
        if self.count == 1:
            return json.loads(text)
        # Four bytes in each number, whose sum over many replicas then has room.
        words = np.zeros(-(-length // 4) * 4, np.uint8)
        words[: len(text)] = np.frombuffer(text, np.uint8)
        with self.all_take_part():
            values = self._sum_of_processes(words.view("<u4").tolist())
        found = np.array(values, "<u4").tobytes()[:length]
        return json.loads(found)

    def wait(self, name: str) -> None:
        """Waits until every process gets here; the chief waits only for live ones.

        Args:
            name: The name of the agreement, the same in all processes.
        """
        try:
            self.any_process(name, False)
        except _LOST:  # The chief has written everything, so a lost worker is harmless.
            if not self.is_chief:
                raise

    @contextlib.contextmanager
    def chief_first(self, name: str) -> Iterator[None]:
        """Lets the chief do some work before the other processes do the same work.

        Use it for work whose result the chief writes to files, which the others read.

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

        Outside such work, the next collective call of the other processes is an
        agreement, which `chief_dismisses` can answer.
        """
        self._all_take_part = True
        yield
        # Without `finally`: after an error, `chief_dismisses` still needs the mark.
        self._all_take_part = False

    @contextlib.contextmanager
    def chief_alone(self) -> Iterator[None]:
        """Marks work of the chief within `all_take_part` that the others wait for."""
        self._all_take_part = False
        yield
        self._all_take_part = True

    @contextlib.contextmanager
    def chief_dismisses(self) -> Iterator[None]:
        """Ends the processes that wait for the chief when an error ends the chief."""
        try:
            with interruptions_named():
                yield
        except EXPECTED as error:
            chief_of_others = self.is_chief and self.count > 1
            if chief_of_others and not self._all_take_part:
                self._dismiss(error)
            raise

    @contextlib.contextmanager
    def lost_ones_told(self) -> Iterator[None]:
        """Turns TensorFlow's errors after the end of another process into one line.

        Raises:
            LostWorkerError: another process has ended or cannot be reached.
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
        # The other processes may be far from their next agreement, or have ended.
        with ends_in_time(error), contextlib.suppress(*_LOST):
            self._sum_of_processes([0, 0, reason])

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
        mine = _digest(name)
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

    def _sum_of_processes(self, values: list[int]) -> list[int]:
        totals = self._total(tf.constant(values, tf.int64)).numpy()
        # The sum counts the values of a process once for each of its replicas.
        replicas = self._strategy.num_replicas_in_sync // self.count
        return [int(total) // replicas for total in totals]

    def _sum(self, values: tf.Tensor) -> tf.Tensor:
        of_replicas = self._strategy.run(lambda: tf.identity(values))
        return self._strategy.reduce("SUM", of_replicas, axis=None)


def _digest(text: str) -> int:
    """Returns 48 bits of a text's digest, few enough that no sum overflows."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])
