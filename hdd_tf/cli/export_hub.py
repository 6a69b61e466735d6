"""The command `hdd-tf export hub`: a distilled set for the Hugging Face Hub."""

from collections.abc import Sequence

from absl import flags

from hdd_tf.cli.own_flags import given_source, own_flags_help, parse_own_flags
from hdd_tf.cli.program import run_program, wants_help
from hdd_tf.cli.tensorflow_import import import_quietly

_HELP = """\
Writes a distilled set for the Hugging Face Hub, which shows its images in a browser.

usage: {called} RUN_OR_SET --output_dir=DIR

DIR gets a README.md, the set's card, and the images as PNG files: in a parquet file
that `datasets.load_dataset` reads, with the names of the classes and soft labels, or in
a folder of each class. `hf upload USER/NAME DIR --repo-type=dataset` puts
it on the Hub; nothing is sent from here.
"""


def define_flags() -> flags.FlagValues:
    """Returns the command's own flags."""
    values = flags.FlagValues()
    for name, about in (
        ("run_dir", "Run to export: its set, or its newest checkpoint."),
        ("checkpoint", "Checkpoint of a run: RUN/checkpoints/iteration-100."),
        ("set", "Distilled set to export, in whatever encoding it is."),
        ("output_dir", "Directory to write; new or empty."),
    ):
        flags.DEFINE_string(name, None, about, flag_values=values)
    flags.DEFINE_enum(
        "encoding",
        "parquet",
        ["parquet", "png_folder"],
        "One parquet file, or a folder of images for each class, called by its name.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "images",
        "decoded",
        ["stored", "decoded"],
        "Images as networks train on them, or as they are stored, where a stored image "
        "holds several.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "overwrite",
        False,
        "Replace what an earlier export for the Hub has written to output_dir.",
        flag_values=values,
    )
    return values


def export_hub(argv: Sequence[str]) -> None:
    """Writes the set that the flags ask for.

    Raises:
        InputError: If there is no such set, or it cannot be written where they say.
    """
    values = define_flags()
    if wants_help(argv[1:]):
        print(_HELP.format(called=argv[0]) + own_flags_help(values), end="")
        return
    parsed = parse_own_flags(argv, values, settings=False)
    kind, source = given_source(values)
    output = parsed.directory("output_dir")
    # Only now, seconds of imports: a bad flag is answered at once.
    import_quietly()
    from hdd_tf.artifacts.sets.decoding import decode_set
    from hdd_tf.exporting import hub, sets

    sets.check_outside(output, source)
    hub.check_hub_output(output, values.overwrite)
    distilled_set = sets.read_source(kind, source, stored=values.images == "stored")
    if values.images == "decoded":
        distilled_set = decode_set(distilled_set)
    hub.write_hub(output, distilled_set, values.encoding)
    print(f"{distilled_set.summary()}, {values.encoding}: {output}")


def main(argv: Sequence[str], name: str = "hdd_tf") -> int:
    """Runs the command and returns its exit code, as `run_program` does.

    Args:
        argv: What the user called, and the arguments.
        name: Said before errors.
    """
    return run_program(export_hub, argv, name)
