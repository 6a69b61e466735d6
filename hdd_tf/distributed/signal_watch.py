"""A watch for signals that arrive while Python cannot handle them.

Python calls a signal's handler in the main thread, between two of its own instructions.
A process that waits in TensorFlow for another process runs no Python instructions,
perhaps for hours. Ctrl-C, and the signal that a scheduler sends before it kills, would
have no effect.
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

# Seconds after a signal in which a wait may still end by itself. It does if the process
# that is waited for gets the signal too.
PATIENCE = 10.0
_SECONDS_BETWEEN_LOOKS = 0.1


class SignalWatch:
    """Ends the process if a signal comes during a wait that has nothing to save.

    The watch is a context manager of the main thread, and active within its context.

    Args:
        patience: Seconds that a wait may go on after a signal.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._wait_began: float | None = None

    def __enter__(self) -> Self:
        # Python's C handler writes each signal's number to this socket at once, even
        # while no Python instruction of the main thread runs.
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
        self._sender.close()  # Ends the thread, which reads the end of the stream.
        self._thread.join()
        self._numbers.close()

    @contextmanager
    def long_wait(self) -> Iterator[None]:
        """Marks a wait of the main thread in which there is nothing to save.

        After a signal, which may also precede the wait, the wait may go on for
        `patience` seconds or until another signal. Then the process ends with one line.
        """
        self._wait_began = time.monotonic()
        try:
            yield
        finally:
            self._wait_began = None

    def _watch(self) -> None:
        came, at = None, 0.0
        while True:
            # Before the first signal there is nothing to check, so no timeout is set.
            pause = None if came is None else _SECONDS_BETWEEN_LOOKS
            again = False
            if select.select([self._numbers], [], [], pause)[0]:
                number = self._numbers.recv(1)
                if not number:
                    return
                if number[0] not in STOPPING:
                    continue
                # A terminal that closes sends SIGHUP twice.
                again = came is not None and number[0] != signal.SIGHUP
                came, at = came or signal.Signals(number[0]), at or time.monotonic()
            began = self._wait_began
            if came is None or began is None:
                continue  # The main thread runs Python and handles the signal itself.
            if again or time.monotonic() - max(began, at) > self._patience:
                end_process(InterruptedRunError(came))


@contextmanager
def ends_in_time(error: BaseException, seconds: float = PATIENCE) -> Iterator[None]:
    """Ends the process with `error` if the context takes longer than a time limit.

    Args:
        error: The error that the process ends with.
        seconds: The time limit.
    """
    timer = threading.Timer(seconds, end_process, [error])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def end_process(error: BaseException) -> NoReturn:
    """Ends the process at once, with the line and the exit code of an error.

    Call this function in a thread if the main thread cannot be interrupted.

    Args:
        error: The error that the process ends with.
    """
    line, code = ending(error)
    try:
        sys.stdout.flush()
        print(f"hdd_tf: {line}", file=sys.stderr, flush=True)
    finally:  # The process must end even if nothing can be printed.
        os._exit(code)
