"""The program: `python -m hdd_tf.main --flagfile=flags/quickstart.cfg`."""

import sys
from collections.abc import Sequence

from hdd_tf.cli import distill_command
from hdd_tf.cli.program import leave


def main(argv: Sequence[str]) -> int:
    """Distils.

    Args:
        argv: Program name and arguments.

    Returns:
        The exit code: 0 done; 2 unusable flags or input, said in one line on standard
        error; 75 another machine of the run was lost; 130 or 143 stopped by SIGINT or
        SIGTERM, with the state of a run saved.
    """
    return distill_command.main(argv)


def run() -> None:
    """Entry point of the console script `hdd-tf`."""
    leave(main(sys.argv))


if __name__ == "__main__":
    run()
