"""What all commands share: how they end, and what a command line asks for."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from absl import flags

from hdd_tf.arguments.command_line import HELP_WORDS
from hdd_tf.cli.outputs import keep_outputs
from hdd_tf.errors import EXPECTED, InterruptedRunError, ending, one_line
from hdd_tf.signals import STOPPING, signals_end_the_run


def run_program(
    work: Callable[[Sequence[str]], int | None],
    argv: Sequence[str],
    name: str = "hdd_tf",
    resumes: bool = False,
) -> int:
    """Runs a program and returns its exit code.

    Args:
        work: The program; it returns an exit code, or None for 0.
        argv: What the user called, which usage texts repeat, and the arguments.
        name: The program's, said before errors.
        resumes: Whether the same command goes on from a checkpoint, which its last line
            then says.

    Returns:
        The exit code: that of `work`; 2 unusable flags or input, said in one line on
        standard error; 75 another machine of the run was lost; 129, 130 or 143
        stopped by SIGHUP, SIGINT or SIGTERM.
    """
    try:
        with signals_end_the_run():
            return work(argv) or 0
    except EXPECTED as error:
        line, code = ending(error)
        if not resumes:
            line = _without_checkpoints(error)
    except flags.Error as error:
        line, code = one_line(error), 2
    print(f"{name}: {line}", file=sys.stderr)
    return code


def _without_checkpoints(error: BaseException) -> str:
    """Returns what a command says that cannot go on from where it was."""
    if isinstance(error, InterruptedRunError):
        return f"stopped by {error.stopped_by.name}"
    return one_line(str(error))


def run_as_process(main: Callable[[Sequence[str]], int]) -> NoReturn:
    """Runs a command as the whole of this process, which it ends.

    Args:
        main: From `sys.argv` to the exit code.
    """
    keep_outputs()
    # Keras imports matplotlib, which does not start with the name of a backend that it
    # does not know, such as that of a notebook. Commands open no windows.
    os.environ["MPLBACKEND"] = "agg"
    leave(main(sys.argv))


def leave(code: int) -> NoReturn:
    """Ends the process, whatever signals still come.

    TensorFlow takes a moment to go. All is written, and the exit code says what.
    """
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)


def wants_help(arguments: Sequence[str]) -> bool:
    """Tells whether a command line asks for help, in any of the usual spellings."""
    return not HELP_WORDS.isdisjoint(arguments)
