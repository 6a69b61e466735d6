"""The command `hdd-tf export saved_model`: writes SavedModels."""

from collections.abc import Sequence

from absl import flags

from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.cli.own_flags import own_flags_help, parse_own_flags
from hdd_tf.cli.program import run_program, wants_help
from hdd_tf.cli.tensorflow_import import import_quietly

_HELP = """\
Writes SavedModels of a run: of its set, or of its newest checkpoint.

usage: {called} RUN --output_dir=DIR

DIR/encoder maps images to features and hyperbolic coordinates, DIR/classifier, which
is trained here on the distilled images, to logits. Both take uint8 or float32 images on
the 0-255 scale, and load without hdd_tf. Works on unfinished runs too. Settings of the
run may be overridden, such as --data_dir, --eval_epochs or --analysis_curvature.
"""


def define_flags() -> flags.FlagValues:
    """Returns the command's own flags."""
    values = flags.FlagValues()
    flags.DEFINE_string("run_dir", None, "Directory of the run.", flag_values=values)
    flags.DEFINE_string(
        "output_dir",
        None,
        "Where to write `encoder` and `classifier`.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "model",
        "both",
        ["both", "encoder", "classifier"],
        "Which of them.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "overwrite",
        False,
        "Replace the SavedModels that output_dir holds.",
        flag_values=values,
    )
    return values


def export_models(argv: Sequence[str]) -> None:
    """Writes the SavedModels.

    Raises:
        InputError: there is no such run, its data cannot be loaded, or something else
            is where they are to go.
    """
    values = define_flags()
    if wants_help(argv[1:]):
        print(_HELP.format(called=argv[0]) + own_flags_help(values), end="")
        return
    parsed = parse_own_flags(argv, values)
    directory = RunDirectory(parsed.required("run_dir"))
    output = parsed.directory("output_dir")
    config = parsed.config(directory.read_config())
    chosen = values.model
    names = ["encoder", "classifier"] if chosen == "both" else [chosen]
    # Only now, seconds of imports: a bad flag is answered at once.
    import_quietly()
    from hdd_tf.exporting import models as model_exports

    model_exports.check_targets(output, names, values.overwrite)
    model_exports.export_saved_models(config, directory, output, names)


def main(argv: Sequence[str], name: str = "hdd_tf") -> int:
    """Runs the command and returns its exit code, as `run_program` does.

    Args:
        argv: What the user called, and the arguments.
        name: Said before errors.
    """
    return run_program(export_models, argv, name)
