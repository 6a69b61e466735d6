"""The command `hdd-tf export`: what of a run, a checkpoint or a set is written."""

import os
from collections.abc import Sequence

from hdd_tf.cli.commands import EXPORTS, run_command
from hdd_tf.cli.program import run_program


def export(argv: Sequence[str]) -> int:
    """Runs the export that the first word names, or else that of the set.

    Raises:
        InputError: the first word is neither an export nor a directory to export.
    """
    called, *words = argv
    if words and words[0] not in EXPORTS and os.path.isdir(words[0]):
        words = [next(iter(EXPORTS)), *words]
    return run_command(EXPORTS, [called, *words])


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns its exit code, as `run_program` does."""
    return run_program(export, argv)
