"""Which signals ask a run to stop, and who hears them."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hdd_tf.errors import InterruptedRunError

STOPPING = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def handled_by(handler: Any) -> Iterator[None]:
    """Gives these signals to a handler, as `signal.signal` takes it, for a while."""
    before = {number: signal.signal(number, handler) for number in STOPPING}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


@contextmanager
def signals_end_the_run() -> Iterator[None]:
    """Lets SIGTERM and SIGINT raise `InterruptedRunError`.

    The distillation loop, which has something to save first, has its own way
    (running/loop.py); elsewhere everything worth keeping is on disk already. A
    second signal kills the process, as if this were not here.
    """

    def end(number: int, frame: object) -> None:
        for each in STOPPING:
            signal.signal(each, signal.SIG_DFL)
        raise InterruptedRunError(signal.Signals(number))

    with handled_by(end):
        yield


@contextmanager
def signals_kill() -> Iterator[None]:
    """Lets SIGTERM and SIGINT kill the process, silently and at once.

    For where TensorFlow keeps all of Python waiting, with nothing to be saved. To a
    shell the exit code is the same. Handlers that others put in meanwhile are gone
    after it.
    """
    with handled_by(signal.SIG_DFL):
        yield
