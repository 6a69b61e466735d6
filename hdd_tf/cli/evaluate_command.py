"""The command `hdd-tf evaluate`: scores a set that already exists."""

from collections.abc import Sequence

from hdd_tf.arguments.command_line import check_scoring_flags, flags_help
from hdd_tf.cli.memory_allocator import keep_freed_memory
from hdd_tf.cli.outputs import print_product
from hdd_tf.cli.program import run_program, wants_help
from hdd_tf.cli.tensorflow_import import import_quietly
from hdd_tf.errors import InputError
from hdd_tf.files.links import check_place

_HELP = """\
Trains fresh networks on a distilled set and prints their accuracy.

usage: {called} SET_OR_RUN [--name=value ...]

SET_OR_RUN is the directory of a set, in any encoding, or of a run. The settings are
those the set was distilled with; flags after it override them, such as --num_eval=20,
--eval_epochs=300, --eval_networks=convnet,resnet18, --data_dir=DIR, --baselines or
--fair_score. --baselines=none leaves out those that the run recorded.

Scores of a run are recorded in RUN/evaluations/, which `hdd-tf report` reads. Networks
recorded there with these settings and seed are not trained again; name the set itself,
RUN/synthetic, to train all of them. Scores of a set are recorded nowhere.

The flags that change a score, with their defaults where nothing is recorded:
"""


def evaluate(argv: Sequence[str]) -> None:
    """Prints the table of results of a set.

    Raises:
        InputError: there is no whole set, its data cannot be loaded, or a flag is bad
            or has no effect.
    """
    called, *arguments = argv
    if wants_help(arguments):
        print(
            _HELP.format(called=called) + flags_help(lambda row: row.is_scoring), end=""
        )
        return
    usage = f"{called} SET_OR_RUN [--name=value ...]"
    if not arguments:
        raise InputError(f"no set or run named: {usage}")
    place, *overrides = arguments
    if place.startswith("-"):
        raise InputError(
            f"the first argument is the set or run to score, not {place}: {usage}"
        )
    check_scoring_flags(overrides)
    check_place(place)
    # Only now, seconds of imports: a bad flag is answered at once.
    keep_freed_memory()
    import_quietly()
    from hdd_tf.evaluation.rescore import rescore

    print_product(rescore(place, overrides))


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns its exit code, as `run_program` does."""
    return run_program(evaluate, argv)
