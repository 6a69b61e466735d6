"""Why a command ends early: what the user gave, or a signal."""

import signal

# Characters of a message; paths of 4,096 would still show both their ends.
_LONGEST = 1500


class InputError(Exception):
    """Something the user gave cannot be used.

    The message is one line that says what is wrong and how to mend it; the command
    prints it on standard error and exits with code 2, without a traceback.
    """


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


class InterruptedRunError(BaseException):
    """SIGTERM or SIGINT stopped the run; what it had is saved.

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
        self.exit_code = 128 + stopped_by
