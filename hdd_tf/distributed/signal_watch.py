"""Signals that come while Python cannot hear them.

Python calls a signal's handler in the main thread, between two of its own instructions.
A process that waits in TensorFlow for another one runs none of them, perhaps for hours:
Ctrl-C, and what a scheduler sends before it kills, would go unheard.
"""

import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import NoReturn, Self

from hdd_tf.errors import InterruptedRunError, ending
from hdd_tf.signals import STOPPING

# Seconds in which a wait may still end by itself, as it does where the process that is
# waited for was asked to stop too.
PATIENCE = 10.0
_SECONDS_BETWEEN_LOOKS = 0.1


class SignalWatch:
    """Ends the process where a signal comes in a wait that loses nothing by it.

    A context for the main thread; before and after, it watches nothing.

    Args:
        patience: Seconds that a wait may go on after a signal.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._wait_began: float | None = None

    def __enter__(self) -> Self:
        # Into a socket Python writes a signal's number at once, from whatever thread.
        self._numbers, self._sender = socket.socketpair()
        self._sender.setblocking(False)
        self._before = signal.set_wakeup_fd(
            self._sender.fileno(), warn_on_full_buffer=False
        )
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        signal.set_wakeup_fd(self._before)
        self._sender.close()  # The end of what the thread reads.
        self._thread.join()
        self._numbers.close()

    @contextmanager
    def long_wait(self) -> Iterator[None]:
        """Marks a wait of the main thread in which there is nothing to save.

        After a signal, also one from before it, the wait may go on for `patience`
        seconds, or until there is another signal. Then the process ends with one line.
        """
        self._wait_began = time.monotonic()
        try:
            yield
        finally:
            self._wait_began = None

    def _watch(self) -> None:
        came, at = None, 0.0
        while True:
            # Nothing to look at before there is a signal.
            pause = None if came is None else _SECONDS_BETWEEN_LOOKS
            again = False
            if select.select([self._numbers], [], [], pause)[0]:
                number = self._numbers.recv(1)
                if not number:
                    return
                if number[0] not in STOPPING:
                    continue
                again = came is not None
                came, at = came or signal.Signals(number[0]), at or time.monotonic()
            began = self._wait_began
            if came is None or began is None:
                continue  # It has been heard, or will be at once.
            if again or time.monotonic() - max(began, at) > self._patience:
                end_process(InterruptedRunError(came))


@contextmanager
def ends_in_time(error: BaseException, seconds: float = PATIENCE) -> Iterator[None]:
    """Ends the process because of `error` where what is within takes longer."""
    timer = threading.Timer(seconds, end_process, [error])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def end_process(error: BaseException) -> NoReturn:
    """Ends the process at once, as an error would that the command tells in one line.

    For a thread beside a main thread that cannot be interrupted.
    """
    line, code = ending(error)
    try:
        sys.stdout.flush()
        print(f"hdd_tf: {line}", file=sys.stderr, flush=True)
    finally:  # Even if nobody can be told.
        os._exit(code)
