"""The command `hdd-tf export projector`: embeddings for TensorBoard."""

from collections.abc import Sequence

from absl import flags

from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.cli.own_flags import own_flags_help, parse_own_flags
from hdd_tf.cli.program import run_program, wants_help
from hdd_tf.cli.tensorflow_import import import_quietly

_HELP = """\
Writes a run's embeddings for TensorBoard's projector, of its set or newest checkpoint.

usage: {called} RUN

They go into the run's own tensorboard/, or into --output_dir; `tensorboard --logdir`
of either shows them in the Projector tab. Works on unfinished runs too. Settings of
the run may be overridden, such as --data_dir, --analysis_curvature or
--analysis_images.
"""


def define_flags() -> flags.FlagValues:
    """Returns the command's own flags."""
    values = flags.FlagValues()
    flags.DEFINE_string("run_dir", None, "Directory of the run.", flag_values=values)
    flags.DEFINE_string(
        "output_dir",
        None,
        "Where to write, an earlier projector is replaced; default: tensorboard/ of "
        "the run.",
        flag_values=values,
    )
    return values


def export_projector(argv: Sequence[str]) -> None:
    """Writes the projector's files.

    Raises:
        InputError: there is no such run, its data cannot be loaded, or --output_dir
            is a file.
    """
    values = define_flags()
    if wants_help(argv[1:]):
        print(_HELP.format(called=argv[0]) + own_flags_help(values), end="")
        return
    parsed = parse_own_flags(argv, values)
    directory = RunDirectory(parsed.required("run_dir"))
    place = directory.tensorboard
    if values.output_dir:
        place = parsed.directory("output_dir")
    config = parsed.config(directory.read_config())
    # Only now, seconds of imports: a bad flag is answered at once.
    import_quietly()
    from hdd_tf.exporting import models as model_exports

    model_exports.export_projector(config, directory, place)


def main(argv: Sequence[str], name: str = "hdd_tf") -> int:
    """Runs the command and returns its exit code, as `run_program` does.

    Args:
        argv: What the user called, and the arguments.
        name: Said before errors.
    """
    return run_program(export_projector, argv, name)
