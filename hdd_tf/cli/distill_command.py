"""The command `hdd-tf distill`, which is also meant where no command is named."""

import os
import sys
from collections.abc import Sequence

from hdd_tf.arguments.command_line import help_text, parse_command_line
from hdd_tf.cli.memory_allocator import keep_freed_memory
from hdd_tf.cli.program import run_program, wants_help
from hdd_tf.cli.tensorflow_import import import_quietly
from hdd_tf.data.names import check_name
from hdd_tf.files import lock
from hdd_tf.files.links import check_directory, check_writable


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
        check_name(config.dataset, config.data_dir or None)
        if config.traits.ahead_source:
            check_directory(config.expert_dir, "--expert_dir=")
            # Finished experts may lie where nothing can be written: they are only read.
            if not os.path.isdir(config.expert_dir):
                check_writable(config.expert_dir, "--expert_dir=")
        if not config.dry_run:
            lock.check_free(config.run_dir)
            # A finished run may lie where nothing can be written: it is only told.
            if not os.path.exists(os.path.join(config.run_dir, "result.json")):
                check_writable(config.run_dir, "--run_dir=")
    # Only now, seconds of imports: a bad flag is answered at once.
    keep_freed_memory()
    import_quietly()
    from hdd_tf.running.experiments import run_experiments

    run_experiments(config)


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns its exit code, as `run_program` does."""
    return run_program(distill, argv, resumes=True)
