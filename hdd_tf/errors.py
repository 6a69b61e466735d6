"""Why a command ends early: what the user gave, or a signal."""

import logging
import signal

# Characters of a message; paths of 4,096 would still show both their ends.
_LONGEST = 1500
# EX_TEMPFAIL of sysexits.h: schedulers may start the same command again.
_TRY_AGAIN = 75


class InputError(Exception):
    """Something the user gave cannot be used.

    The message is one line that says what is wrong and how to mend it; the command
    prints it on standard error and exits with code 2, without a traceback.
    """


class LostWorkerError(Exception):
    """Another process of the run is gone; the same command goes on without a change."""


def one_line(error: Exception | str) -> str:
    """Returns an error's message as one line that a terminal can show.

    Names of files and classes are part of messages, and may hold ends of lines and the
    codes that move a terminal's cursor.
    """
    text = " ".join(str(error).split())
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    if len(text) > _LONGEST:
        half = _LONGEST // 2
        text = f"{text[:half]} ... {text[-half:]}"
    return text


def warn(text: str) -> None:
    """Says on standard error what goes on but may not be what was meant.

    Args:
        text: Becomes one line, as `one_line` returns it.
    """
    logging.getLogger("hdd_tf").warning("%s", one_line(text))


class InterruptedRunError(BaseException):
    """SIGTERM, SIGINT or SIGHUP stopped the run; what it had is saved.

    Not an `Exception`: TensorFlow wraps those that pass through its tracing, and other
    libraries swallow them.

    Args:
        stopped_by: The signal.
    """

    def __init__(self, stopped_by: signal.Signals) -> None:
        super().__init__(
            f"stopped by {stopped_by.name}; the same command goes on from the last "
            "checkpoint."
        )
        self.stopped_by = stopped_by
        self.exit_code = 128 + stopped_by


# What ends a command in one line; anything else is a bug, and shows its traceback.
EXPECTED = (InputError, LostWorkerError, OSError, InterruptedRunError)


def ending(error: BaseException) -> tuple[str, int]:
    """Returns what a command says of one of `EXPECTED`, and its exit code."""
    if isinstance(error, InterruptedRunError):
        return str(error), error.exit_code
    line = one_line(str(error))
    if isinstance(error, OSError):  # A full disk, a vanished mount: nothing to debug.
        line += ": mend that, and the same command goes on from the last checkpoint."
    return line, _TRY_AGAIN if isinstance(error, LostWorkerError) else 2
