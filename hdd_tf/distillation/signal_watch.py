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

# Seconds in which a wait may still end by itself, as it does where the process that is
# waited for was asked to stop too.
PATIENCE = 10.0
_WATCHED = (signal.SIGTERM, signal.SIGINT)


class SignalWatch:
    """Ends the process where a signal comes in a wait that loses nothing by it.

    A context for the main thread; before and after, it watches nothing.

    Args:
        patience: Seconds that a wait may go on after a signal.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._wait_is_over: threading.Event | None = None

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

        A signal that is unheard for `patience` seconds, or followed by another, ends
        the process with one line, as if it had been heard.
        """
        self._wait_is_over = over = threading.Event()
        try:
            yield
        finally:
            self._wait_is_over = None
            over.set()

    @contextmanager
    def last_words(self, error: BaseException) -> Iterator[None]:
        """Ends the process because of `error` where what is within takes too long."""
        timer = threading.Timer(self._patience, end_process, [error])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _watch(self) -> None:
        while number := self._numbers.recv(1):
            over = self._wait_is_over
            if over is None or number[0] not in _WATCHED:
                continue  # It is heard.
            deadline = time.monotonic() + self._patience
            while not over.wait(0.1):
                if time.monotonic() > deadline or self._has_more():
                    end_process(InterruptedRunError(signal.Signals(number[0])))

    def _has_more(self) -> bool:
        return bool(select.select([self._numbers], [], [], 0)[0])


def end_process(error: BaseException) -> NoReturn:
    """Ends the process at once, as an error would that the command tells in one line.

    For a thread beside a main thread that cannot be interrupted.
    """
    line, code = ending(error)
    sys.stdout.flush()
    print(f"hdd_tf: {line}", file=sys.stderr, flush=True)
    os._exit(code)
