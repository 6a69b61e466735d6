"""The command `hdd-tf evaluate`: scores a set that already exists."""

import itertools
import os
from collections.abc import Sequence

from absl import flags

from hdd_tf.arguments.command_line import (
    check_scoring_flags,
    flags_help,
    given_settings,
)
from hdd_tf.artifacts.run_records import is_of_hdd_tf
from hdd_tf.cli.memory_allocator import keep_freed_memory
from hdd_tf.cli.outputs import print_product
from hdd_tf.cli.own_flags import own_flags_help, settle_paths
from hdd_tf.cli.program import run_program, wants_help
from hdd_tf.cli.tensorflow_import import import_quietly
from hdd_tf.errors import InputError, one_line
from hdd_tf.evaluation.score_file import check_new_file
from hdd_tf.files.links import check_place
from hdd_tf.settings.paths import check_length
from hdd_tf.shipped.naming import place_of_set

_HELP = """\
Trains fresh networks on a distilled set and prints their accuracy.

usage: {called} SET_OR_RUN [--name=value ...]
       {called} --set=FILE_OR_DIR --dataset=NAME [--name=value ...]

SET_OR_RUN is the directory of a set, in any encoding, or of a run, or the name of a set
that comes with hdd_tf (`hdd-tf sets`). The settings are those the set was distilled
with; flags after it override them, such as --num_eval=20, --eval_epochs=300,
--eval_networks=convnet,resnet18, --data_dir=DIR, --baselines or --fair_score.
--baselines=none leaves out those that the run recorded.

Scores of a run are recorded in RUN/evaluations/, which `hdd-tf report` reads. Networks
recorded there with these settings and seed are not trained again; name the set itself,
RUN/synthetic, to train all of them. Scores of a set are recorded nowhere.

The second form scores a set that another program made, by the same protocol, networks
and seeds: an .npz file (arrays images and labels, or soft labels), a folder of images
for each class, a TFDS directory, a .parquet file or folder of the Hugging Face Hub, or
a PyTorch file (.pt) as the programs of DC, DM, IDM and MTT write it. A line says what
was taken for what; what the values leave open is refused, and flags say it:
"""
_SETTINGS = """
The flags that change a score, with their defaults where nothing is recorded:
"""


def define_flags() -> flags.FlagValues:
    """Returns the command's own flags."""
    values = flags.FlagValues()
    flags.DEFINE_string(
        "set", None, "Set of another program: a file or folder.", flag_values=values
    )
    flags.DEFINE_enum(
        "set_scale",
        "auto",
        ["auto", "0-255", "0-1", "-1-1", "normalised", "zca"],
        "What its values are: pixels on a scale, normalised by the data set's mean and "
        "standard deviation, or whitened by ZCA of the training split.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "set_labels",
        "auto",
        ["auto", "hard", "logits", "probabilities"],
        "What rows of labels are; hard: the largest of each row is the class.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "set_cells",
        0,
        "Training images along each side of an image, such as 2 for IDM's sets as "
        "they are stored; 0: what the file says, or 1.",
        lower_bound=0,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "set_number",
        1,
        "Which set of a file with several, from 1.",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_string(
        "output",
        None,
        "New file (.json) for the scores of a set of another program, which "
        "`hdd-tf report` shows beside runs.",
        flag_values=values,
    )
    return values


def evaluate(argv: Sequence[str]) -> None:
    """Prints the table of results of a set.

    Raises:
        InputError: there is no whole set, its data cannot be loaded, or a flag is bad
            or has no effect.
    """
    called, *arguments = argv
    values = define_flags()
    if wants_help(arguments):
        settings = flags_help(lambda row: row.is_scoring)
        text = _HELP.format(called=called) + own_flags_help(values) + _SETTINGS
        print(text + settings, end="")
        return
    usage = f"{called} SET_OR_RUN [--name=value ...]"
    if not arguments:
        raise InputError(f"no set or run named: {usage}")
    own_words, overrides = _split(arguments, list(values))
    values([called, *own_words])
    settle_paths(values)
    place = values.set
    if overrides and not overrides[0].startswith("-"):
        if place:
            raise InputError(f"{overrides[0]} and --set={place}: give one of the two")
        place = os.path.expanduser(overrides.pop(0))
    if not place:
        raise InputError(
            f"the first argument is the set or run to score, not {arguments[0]}: "
            f"{usage}"
        )
    check_length(place)
    check_scoring_flags(overrides)
    place = place_of_set(place)
    is_own = is_of_hdd_tf(place)
    own = [f"--{name}" for name in values if name != "set" and values[name].present]
    if is_own and values.output is not None:
        raise InputError(
            f"--output={values.output} is for the scores of sets that other programs "
            "made; those of a run are recorded in RUN/evaluations/: leave it out"
        )
    if is_own and own:
        raise InputError(
            f"{own[0]} is of sets that other programs made, and {place} says itself "
            "what it holds: leave it out"
        )
    is_own = is_own or not (values.set or own or _names_data(overrides))
    if is_own and os.path.isfile(place):
        raise InputError(
            f"{place} is a file: give the directory of a set or of a run; a set of "
            "another program goes with --dataset=NAME"
        )
    if is_own:
        check_place(place)
    if values.output is not None:
        check_new_file(values.output)
    # Only now, seconds of imports: a bad flag is answered at once.
    keep_freed_memory()
    import_quietly()
    from hdd_tf.data.image_rows import failed_reads_named

    if is_own:
        from hdd_tf.evaluation.rescore import rescore

        with failed_reads_named():
            print_product(rescore(place, overrides))
        return
    from hdd_tf.evaluation.foreign_score import ForeignScore
    from hdd_tf.foreign_sets.reading import Told

    told = Told(
        values.set_scale, values.set_labels, values.set_cells, values.set_number
    )
    score = ForeignScore(place, given_settings(overrides), told)
    # Before the hours of training: what was assumed may be wrong.
    print(one_line(score.described), flush=True)
    with failed_reads_named():
        result = score.result()
    print_product(score.table(result))
    if values.output:
        score.write(values.output, result)
        print(f"recorded: {one_line(values.output)}")


def _split(words: Sequence[str], own: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns the words of the command's own flags, and all other words.

    absl would do it, but puts the contents of a flag file in the place of its name, and
    those are judged otherwise than what was typed.
    """
    ours: list[str] = []
    others: list[str] = []
    waiting = iter(words)
    for word in waiting:
        name, equals, _ = word.lstrip("-").partition("=")
        if not word.startswith("-") or name not in own:
            others.append(word)
            continue
        ours += [word] if equals else [word, *itertools.islice(waiting, 1)]
    return ours, others


def _names_data(arguments: Sequence[str]) -> bool:
    """Returns whether flags name a data set, which a set of hdd_tf says itself."""
    return "dataset" in given_settings(arguments)


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns its exit code, as `run_program` does."""
    return run_program(evaluate, argv)
