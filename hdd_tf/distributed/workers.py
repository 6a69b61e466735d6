"""The processes of a run on several machines: the chief, and what all agree on.

Every process runs the same program, computes its share of the classes and has a copy of
the whole state. Only the chief (worker 0) writes and evaluates. Before the processes
act on a value that may differ among them, such as whether a signal came or how long a
call should be, they must agree on it. Otherwise a process would wait for a sum that the
others never take part in.
"""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from hdd_tf.distributed.agreements import LOST, Agreements, digest
from hdd_tf.errors import EXPECTED, InputError, LostWorkerError
from hdd_tf.signals import interruptions_named


class Workers(Agreements):
    """What the processes that share a strategy ask and tell each other.

    If there is a single process, no call communicates. Arguments and attributes are
    those of `Agreements`.
    """

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
        mine = digest(json.dumps(value))
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
        except LOST:  # The chief has written everything, so a lost worker is harmless.
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
        except LOST as error:
            if self.count == 1:
                raise
            raise LostWorkerError(
                "another worker of TF_CONFIG has ended or cannot be reached: see what "
                "it said, and start all of them again with the same command, which "
                "goes on from the last checkpoint."
            ) from error
