"""Why a command ends early: what the user gave, or a signal."""

import signal


class InputError(Exception):
    """Something the user gave cannot be used.

    The message is one line that says what is wrong and how to mend it; the command
    prints it on standard error and exits with code 2, without a traceback.
    """


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
