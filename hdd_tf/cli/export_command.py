"""The command `hdd-tf export`: what of a run, a checkpoint or a set is written."""

from collections.abc import Sequence

from hdd_tf.cli.commands import EXPORTS, run_command
from hdd_tf.cli.program import run_program


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns its exit code, as `run_program` does."""
    return run_program(lambda words: run_command(EXPORTS, words), argv)
