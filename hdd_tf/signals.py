"""Which signals ask a run to stop, and who hears them."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hdd_tf.errors import EXPECTED, InterruptedRunError

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# The signal that `signals_end_the_run` has raised an error for. Signals belong to the
# process, and so does this.
_came: signal.Signals | None = None


def heard() -> tuple[signal.Signals, ...]:
    """Returns those of `STOPPING` that this process hears.

    `nohup` starts a program with SIGHUP ignored, and means it.
    """
    ignores_hangup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return tuple(
        each for each in STOPPING if each != signal.SIGHUP or not ignores_hangup
    )


def next_one_kills() -> None:
    """Lets a second signal kill the process, but no second SIGHUP.

    A terminal that closes sends SIGHUP itself, and the shell in it once more.
    """
    for each in heard():
        kills = each != signal.SIGHUP
        signal.signal(each, signal.SIG_DFL if kills else signal.SIG_IGN)


@contextmanager
def handled_by(handler: Any) -> Iterator[None]:
    """Gives these signals to a handler, as `signal.signal` takes it, for a while."""
    before = {number: signal.signal(number, handler) for number in heard()}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


@contextmanager
def signals_end_the_run() -> Iterator[None]:
    """Lets the signals of `STOPPING` raise `InterruptedRunError`.

    The distillation loop, which has something to save first, has its own way
    (running/loop.py); elsewhere everything worth keeping is on disk already. A
    second signal kills the process, as if this were not here.
    """
    global _came
    _came = None

    def end(number: int, frame: object) -> None:
        global _came
        next_one_kills()
        _came = signal.Signals(number)
        raise InterruptedRunError(_came)

    with handled_by(end), interruptions_named():
        yield


@contextmanager
def interruptions_named() -> Iterator[None]:
    """Turns what libraries make of an `InterruptedRunError` back into one.

    Python calls a handler wherever it is, also in a function that C++ code has called.
    Some of that code reports any error of such a function as one of its own.

    Raises:
        InterruptedRunError: a signal ended the run, and a library made of it an error
            that is not one of `EXPECTED`.
    """
    try:
        yield
    except EXPECTED:
        raise
    except Exception as error:
        if _came is None:
            raise
        raise InterruptedRunError(_came) from error


@contextmanager
def signals_kill() -> Iterator[None]:
    """Lets these signals kill the process, silently and at once.

    For where TensorFlow keeps all of Python waiting, with nothing to be saved. To a
    shell the exit code is the same. Handlers that others put in meanwhile are gone
    after it.
    """
    with handled_by(signal.SIG_DFL):
        yield
