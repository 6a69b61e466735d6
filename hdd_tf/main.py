"""The command: `python -m hdd_tf.main --flagfile=flags/quickstart.cfg`."""

import signal
import sys

from hdd_tf.arguments.command_line import parse_command_line
from hdd_tf.cli.memory_allocator import keep_freed_memory
from hdd_tf.cli.tensorflow_import import import_quietly
from hdd_tf.errors import EXPECTED, ending
from hdd_tf.signals import STOPPING, signals_end_the_run


def main(argv: list[str]) -> int:
    """Runs the command.

    Args:
        argv: Program name and arguments.

    Returns:
        The exit code: 0 done; 2 unusable flags or input, said in one line on standard
        error; 75 another machine of the run was lost; 130 or 143 stopped by SIGINT or
        SIGTERM, with the state saved.
    """
    try:
        config = parse_command_line(argv)
        with signals_end_the_run():
            # Only now, seconds of imports: a bad flag is answered at once.
            keep_freed_memory()
            import_quietly()
            from hdd_tf.running.experiments import run_experiments

            run_experiments(config)
    except EXPECTED as error:
        line, code = ending(error)
        print(f"hdd_tf: {line}", file=sys.stderr)
        return code
    return 0


def run() -> None:
    """Entry point of the console script `hdd-tf`."""
    code = main(sys.argv)
    # TensorFlow takes a moment to go. All is written, and the exit code says what.
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)


if __name__ == "__main__":
    run()
