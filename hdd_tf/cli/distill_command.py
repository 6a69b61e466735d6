"""The commands `hdd-tf distill`, meant where none is named, and `hdd-tf bank`."""

import os
import sys
from collections.abc import Sequence

from hdd_tf.arguments.command_line import help_text, parse_command_line
from hdd_tf.cli.memory_allocator import keep_freed_memory
from hdd_tf.cli.program import run_program, wants_help
from hdd_tf.cli.tensorflow_import import import_quietly
from hdd_tf.config import Config
from hdd_tf.data.names import check_name
from hdd_tf.errors import InputError
from hdd_tf.files import lock
from hdd_tf.files.links import check_directory, check_writable

_BANK = (
    "Fills the bank of a run with --real_bank_size=N --bank_over=all beforehand, and\n"
    "says where it lies. `hdd-tf distill` with the same flags then reads it."
)


def distill(argv: Sequence[str]) -> None:
    """Distils as the flags say, and prints the results.

    Raises:
        InputError: unusable flags, data or run directory.
        LostWorkerError: another machine of the run was lost.
        InterruptedRunError: a signal stopped the run, with its state saved.
    """
    if wants_help(argv[1:]):
        sys.stdout.write(help_text(argv[0]))
        return
    config = parse_command_line(argv)
    # The other processes of several machines find the chief's lock.
    if "TF_CONFIG" not in os.environ:
        _check_inputs(config)
        if not config.dry_run:
            lock.check_free(config.run_dir)
            # A finished run may lie where nothing can be written: it is only told.
            if not os.path.exists(os.path.join(config.run_dir, "result.json")):
                check_writable(config.run_dir, "--run_dir=")
    _import()
    from hdd_tf.running.experiments import run_experiments

    run_experiments(config)


def bank(argv: Sequence[str]) -> None:
    """Fills the bank of a run that `distill` makes later; a dry run tells its cost.

    Raises:
        InputError: unusable flags or data, or no bank over all real images.
        InterruptedRunError: a signal stopped it, with all but a class saved.
    """
    if wants_help(argv[1:]):
        sys.stdout.write(help_text(argv[0], _BANK))
        return
    config = parse_command_line(argv)
    if config.traits.is_selection or config.bank_over != "all":
        raise InputError(
            "hdd-tf bank fills a bank over all real images, and these settings have "
            "none: give --real_bank_size=N --bank_over=all"
        )
    if "TF_CONFIG" in os.environ:
        raise InputError("hdd-tf bank computes in one process: unset TF_CONFIG for it")
    _check_inputs(config)
    _import()
    from hdd_tf.running.experiments import fill_banks, run_experiments

    if config.dry_run:
        run_experiments(config)
    else:
        fill_banks(config)


def _check_inputs(config: Config) -> None:
    """Checks the places of what is read and shared, before seconds of imports."""
    check_name(config.dataset, config.data_dir or None)
    if config.traits.ahead_source:
        _check_kept(config.expert_dir, "--expert_dir=")
    if config.bank_over == "all":
        _check_kept(config.bank_dir, "--bank_dir=")


def _check_kept(directory: str, flag: str) -> None:
    """Checks a directory of things that are kept and shared between runs.

    Args:
        directory: The directory.
        flag: Text before it in the message.

    Raises:
        InputError: it is a file, or cannot be made.
    """
    check_directory(directory, flag)
    # What is finished may lie where nothing can be written: it is only read.
    if not os.path.isdir(directory):
        check_writable(directory, flag)


def _import() -> None:
    """Imports TensorFlow, which takes seconds: a bad flag is answered before."""
    keep_freed_memory()
    import_quietly()


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns its exit code, as `run_program` does."""
    return run_program(distill, argv, resumes=True)


def bank_main(argv: Sequence[str]) -> int:
    """Runs `hdd-tf bank` and returns its exit code, as `run_program` does."""
    return run_program(bank, argv, resumes=True)
