"""Starts the command `hdd-tf report`: `python -m hdd_tf.report RUN_DIR...`."""

from collections.abc import Sequence

from hdd_tf.cli import report_command
from hdd_tf.cli.program import run_as_process


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns its exit code."""
    return report_command.main(["python -m hdd_tf.report", *argv[1:]])


if __name__ == "__main__":
    run_as_process(main)
