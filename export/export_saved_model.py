"""Writes SavedModels of a run, as its newest checkpoint is.

python export/export_saved_model.py --run_dir=RUN --output_dir=DIR

DIR/encoder maps images to features and hyperbolic coordinates, DIR/classifier, which
is trained here on the distilled images, to logits. Both take uint8 or float32 images on
the 0-255 scale, and load without hdd_tf. Works on unfinished runs too. Settings of the
run may be overridden, such as --data_dir, --eval_epochs or --analysis_curvature.
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


def export(command: Command) -> None:
    """Writes the SavedModels.

    Raises:
        InputError: there is no such run, its data cannot be loaded, or something else
            is where they are to go.
    """
    directory = RunDirectory(command.required("run_dir"))
    output = pathlib.Path(command.required("output_dir"))
    config = command.config(directory.read_config())
    chosen = command.values.model
    names = ["encoder", "classifier"] if chosen == "both" else [chosen]
    # Only now, seconds of imports: a bad flag is answered at once.
    import_quietly()
    from hdd_tf.exporting import models as model_exports

    model_exports.check_targets(output, names, command.values.overwrite)
    model_exports.export_saved_models(config, directory, output, names)


def main(argv: Sequence[str]) -> int:
    """Runs the program and returns its exit code."""
    return run_program(
        "export_saved_model", __doc__ or "", define_flags(), export, argv
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv))
