"""What the programs in export/ share: flags, one-line errors, the run they export."""

import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from absl import flags

from hdd_tf.arguments.command_line import recorded_config
from hdd_tf.config import Config
from hdd_tf.errors import InputError, InterruptedRunError, one_line
from hdd_tf.signals import signals_end_the_run


class Command(NamedTuple):
    """A parsed command line.

    Attributes:
        values: The program's own flags.
        overrides: All others, which are settings of a run.
    """

    values: flags.FlagValues
    overrides: list[str]

    def required(self, name: str) -> str:
        """Returns the value of a flag that has to be given.

        Raises:
            InputError: it is not.
        """
        value = self.values[name].value
        if not value:
            raise InputError(f"--{name} is missing; --help says what it is")
        return str(value)

    def config(self, record: dict) -> Config:
        """Returns a run's settings, overridden by those of the command line.

        Args:
            record: Contents of the run's `config.json`.

        Raises:
            InputError: an unknown flag, or a value that is refused.
        """
        return recorded_config(record["config"], self.overrides)


def run_program(
    name: str,
    about: str,
    values: flags.FlagValues,
    work: Callable[[Command], None],
    argv: Sequence[str],
) -> int:
    """Runs a program and returns its exit code.

    Args:
        name: The program's, said before errors.
        about: Its help.
        values: Its own flags, not parsed yet.
        work: The program.
        argv: Program name and arguments.

    Returns:
        0; 2 after one line of error; 130 or 143 after SIGINT or SIGTERM.
    """
    if "--help" in argv or "-h" in argv:
        print(about + values.get_help())
        return 0
    try:
        _, *overrides = values(argv, known_only=True)
        with signals_end_the_run():
            work(Command(values, overrides))
    except (InputError, flags.Error, OSError) as error:
        print(f"{name}: {one_line(error)}", file=sys.stderr)
        return 2
    except InterruptedRunError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return error.exit_code
    return 0
