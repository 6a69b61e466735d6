"""Starts the command `hdd-tf evaluate`: `python -m hdd_tf.evaluate SET_OR_RUN`."""

from collections.abc import Sequence

from hdd_tf.cli import evaluate_command
from hdd_tf.cli.program import run_as_process


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns its exit code."""
    return evaluate_command.main(["python -m hdd_tf.evaluate", *argv[1:]])


if __name__ == "__main__":
    run_as_process(main)
