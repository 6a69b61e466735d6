"""The command `hdd-tf export tfrecord`: writes a distilled set."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from absl import flags

from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.cli.own_flags import given_source, own_flags_help, parse_own_flags
from hdd_tf.cli.program import run_program, wants_help
from hdd_tf.cli.tensorflow_import import import_quietly
from hdd_tf.errors import InputError
from hdd_tf.files.links import check_place
from hdd_tf.methods.registry import traits_of
from hdd_tf.settings.parsers import KEEP

if TYPE_CHECKING:
    from hdd_tf.artifacts.sets.distilled_set import DistilledSet

_HELP = """\
Writes a distilled set for other programs: of a run, a checkpoint or another set.

usage: {called} RUN_OR_SET --output_dir=DIR

The result is a folder whose hdd_tf.json says how to use the images. What the images are
kept in, --encoding chooses:

float32     TFRecords of floats, lossless, as in a run's synthetic/: for TensorFlow
            Datasets (tfds.builder_from_directory) and tf.data
png         the same with 8-bit images, as TensorFlow Datasets keeps any other set
png_folder  PNG files in one folder a class: keras.utils.image_dataset_from_directory,
            torchvision's ImageFolder
npz         one NumPy file, lossless
dd_ranking  one NumPy file with the tensors that the DD-Ranking benchmark takes

With --measure, hdd_tf.json also says what accuracy networks reach with the float images
and with the 8-bit ones. examples/train_on_distilled.py in the repository shows how to
train on a set.
"""
# Settings of the run that --measure may go without.
_OVERRIDES = ("num_eval", "eval_epochs", "eval_networks", "data_dir")
# What `hdd-tf export hub` writes.
_OF_THE_HUB = ("hub", "parquet")


def define_flags() -> flags.FlagValues:
    """Returns the command's own flags."""
    values = flags.FlagValues()

    def text(name: str, about: str) -> None:
        flags.DEFINE_string(name, None, about, flag_values=values)

    text(
        "run_dir",
        "Run to export: its set, or its newest checkpoint while it is unfinished.",
    )
    text("checkpoint", "Checkpoint of a run: RUN/checkpoints/iteration-100.")
    text("set", "Distilled set to export again, in whatever encoding it is.")
    text("output_dir", "Directory to write; new or empty.")
    flags.DEFINE_enum(
        "images",
        None,
        ["stored", "decoded"],
        "Images as they are stored (the default), or as networks train on them, where "
        "a stored image holds several.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "encoding", "float32", "What the images are kept in.", flag_values=values
    )
    flags.DEFINE_bool(
        "overwrite",
        False,
        "Replace the distilled set that output_dir holds.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "measure",
        False,
        "Train networks on the float and on the 8-bit images, by the run's protocol, "
        "and record the accuracy of both.",
        flag_values=values,
    )
    flags.DEFINE_float(
        "keep_fraction",
        1.0,
        "Part of each class to export, of --run_dir, decoded: by --keep.",
        lower_bound=0.0,
        upper_bound=1.0,
        flag_values=values,
    )
    flags.DEFINE_enum(
        "keep",
        "near_root",
        KEEP,
        "Those of smallest or largest hyperbolic radius in the run's encoder, or any.",
        flag_values=values,
    )
    text("num_eval", "With --measure: networks, instead of the run's number.")
    text("eval_epochs", "With --measure: epochs, instead of the run's number.")
    text("eval_networks", "With --measure: architectures, instead of the run's.")
    text("data_dir", "With --measure or --keep_fraction: where the data set lies.")
    return values


def check_flags(values: flags.FlagValues) -> None:
    """Refuses flags that are missing or do not go together.

    Raises:
        InputError: If so, or the set or run that one names is not there.
    """
    if not values.output_dir:
        raise InputError("--output_dir is missing; --help says what it is")
    given_source(values)
    if values.encoding in _OF_THE_HUB:
        raise InputError(
            f"--encoding={values.encoding} is written by another export: give "
            "`hdd-tf export hub` the same source and --output_dir"
        )
    if not values.keep_fraction > 0:  # Nor is NaN.
        raise InputError(
            f"--keep_fraction={values.keep_fraction:g} keeps nothing: give a part such "
            "as 0.5"
        )
    pruned = values.keep_fraction < 1
    for name in _OVERRIDES:
        needed = values.measure or (pruned and name in ("eval_networks", "data_dir"))
        if values[name].present and not needed:
            raise InputError(f"--{name} is of --measure: add that, or leave it out")
    if pruned and (not values.run_dir or values.images == "stored"):
        raise InputError(
            "--keep_fraction is of a run's decoded images: give --run_dir, and no "
            "--images=stored"
        )
    if values.set:
        check_place(values.set)
    if values.run_dir:
        RunDirectory(values.run_dir).read_config()


def export_set(argv: Sequence[str]) -> None:
    """Writes the set that the flags ask for.

    Raises:
        InputError: If there is no such set, or it cannot be written where they say.
    """
    values = define_flags()
    if wants_help(argv[1:]):
        print(_HELP.format(called=argv[0]) + own_flags_help(values), end="")
        return
    parse_own_flags(argv, values, settings=False)
    check_flags(values)
    # Only now, seconds of imports: a bad flag is answered at once.
    import_quietly()
    from hdd_tf.exporting import sets as exporting

    _, source = given_source(values)
    exporting.check_outside(values.output_dir, source)
    exporting.check_output(values.output_dir, values.encoding, values.overwrite)
    overrides = [
        f"--{name}={values[name].value}" for name in _OVERRIDES if values[name].present
    ]
    distilled_set = _set_to_write(values, overrides)
    metadata = exporting.export_set(
        distilled_set,
        values.output_dir,
        values.images or "stored",
        values.encoding,
        overrides if values.measure else None,
    )
    _print_written(values, metadata, len(distilled_set.labels))


def _set_to_write(values: flags.FlagValues, overrides: list[str]) -> "DistilledSet":
    """Returns the set that the flags name, or the part of it that they keep.

    Raises:
        InputError: there is none, or its stored images are asked for and lost.
    """
    from hdd_tf.exporting import sets as exporting

    distilled_set = exporting.read_source(
        *given_source(values), stored=values.images == "stored"
    )
    if values.keep_fraction == 1:
        return distilled_set
    from hdd_tf.exporting.models import prune_set_of_run

    return prune_set_of_run(
        distilled_set, values.run_dir, values.keep_fraction, values.keep, overrides
    )


def _print_written(
    values: flags.FlagValues, metadata: Mapping[str, Any], images: int
) -> None:
    """Says what was written, and the accuracy that was measured."""
    from hdd_tf.artifacts.sets.set_words import selection

    traits = traits_of(metadata["objective"])
    if traits is None or not traits.is_selection:
        iterations = metadata.get("iteration", "an unknown number of")
        made = f" after {iterations} iterations"
    else:
        words = selection(metadata)
        made = f", {words}" if words else ""
    print(f"{metadata['dataset']}{made}, {values.encoding}: {values.output_dir}")
    if pruned := metadata.get("pruned"):
        print(f"kept ({pruned['keep']}): {images} of {pruned['of']} images")
    for kind in ("float32", "uint8"):
        if values.measure and kind in metadata["accuracy"]:
            score = metadata["accuracy"][kind]
            print(f"{kind}: {score['mean']:.2f} ± {score['std']:.2f} %")


def main(argv: Sequence[str], name: str = "hdd_tf") -> int:
    """Runs the command and returns its exit code, as `run_program` does.

    Args:
        argv: What the user called, and the arguments.
        name: Said before errors.
    """
    return run_program(export_set, argv, name)
