"""The program: `hdd-tf`, and `python -m hdd_tf.main --flagfile=flags/quickstart.cfg`.

Its commands are listed in hdd_tf/cli/commands.py; without one, it distils.
"""

from collections.abc import Sequence

from hdd_tf import __version__
from hdd_tf.cli.commands import COMMANDS, run_command
from hdd_tf.cli.program import run_as_process, run_program


def main(argv: Sequence[str]) -> int:
    """Runs a command.

    Args:
        argv: Program name and arguments.

    Returns:
        The exit code: 0 done; 2 unusable flags or input, said in one line on standard
        error; 75 another machine of the run was lost; 129, 130 or 143 stopped by
        SIGHUP, SIGINT or SIGTERM, with the state of a run saved.
    """
    return run_program(_main, ["hdd-tf", *argv[1:]])


def _main(argv: Sequence[str]) -> int:
    if argv[1:2] == ["--version"]:
        print(f"hdd-tf {__version__}")
        return 0
    return run_command(COMMANDS, argv)


def run() -> None:
    """Entry point of the console script `hdd-tf`."""
    run_as_process(main)


if __name__ == "__main__":
    run()
