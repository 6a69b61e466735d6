"""Signals outside the distillation loop: they end the program in one line."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from hdd_tf.errors import InterruptedRunError


@contextmanager
def signals_end_the_run() -> Iterator[None]:
    """Lets SIGTERM and SIGINT raise `InterruptedRunError`.

    The distillation loop, which has something to save first, has its own way
    (distillation/loop.py); elsewhere everything worth keeping is on disk already. A
    second signal kills the process, as if this were not here.
    """
    watched = (signal.SIGTERM, signal.SIGINT)

    def end(number: int, frame: object) -> None:
        for each in watched:
            signal.signal(each, signal.SIG_DFL)
        raise InterruptedRunError(signal.Signals(number))

    before = {n: signal.signal(n, end) for n in watched}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
