"""Writes a run's embeddings for TensorBoard's projector, as its newest checkpoint is.

python export/export_projector.py --run_dir=RUN

They go into the run's own tensorboard/, or into --output_dir; `tensorboard --logdir`
of either shows them in the Projector tab. Works on unfinished runs too. Settings of
the run may be overridden, such as --data_dir, --analysis_curvature or
--analysis_images.
"""

import pathlib
import sys
from collections.abc import Sequence

from absl import flags

from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.cli.program import Command, run_program
from hdd_tf.cli.tensorflow_import import import_quietly


def define_flags() -> flags.FlagValues:
    """Returns this program's flags; no other program's among them."""
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


def export(command: Command) -> None:
    """Writes the projector's files.

    Raises:
        InputError: there is no such run, or its data cannot be loaded.
    """
    directory = RunDirectory(command.required("run_dir"))
    config = command.config(directory.read_config())
    # Only now, seconds of imports: a bad flag is answered at once.
    import_quietly()
    from hdd_tf.exporting import models as model_exports

    place = pathlib.Path(command.values.output_dir or directory.tensorboard)
    model_exports.export_projector(config, directory, place)


def main(argv: Sequence[str]) -> int:
    """Runs the program and returns its exit code."""
    return run_program("export_projector", __doc__ or "", define_flags(), export, argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
