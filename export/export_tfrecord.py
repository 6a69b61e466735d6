"""Writes the distilled set of a run, as its newest checkpoint has it.

python export/export_tfrecord.py --run_dir=RUN --output_dir=DIR

The result is a TFDS folder of TFRecords like the run's own synthetic/; see
examples/train_on_distilled.py for its use. Works on unfinished runs too.
"""

import pathlib
import sys
from collections.abc import Sequence

from absl import flags

from hdd_tf.artifacts.distilled_set import (
    DistilledSet,
    is_distilled_set,
    metadata_of_run,
    write_distilled_set,
)
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.distillation.checkpoints import load_images
from hdd_tf.errors import InputError


def define_flags() -> flags.FlagValues:
    """Returns this program's flags; no other program's among them."""
    values = flags.FlagValues()
    flags.DEFINE_string(
        "run_dir", None, "Directory of the run to export.", flag_values=values
    )
    flags.DEFINE_string(
        "output_dir", None, "Directory to write; new or empty.", flag_values=values
    )
    flags.DEFINE_bool(
        "overwrite",
        False,
        "Replace the distilled set that output_dir holds.",
        flag_values=values,
    )
    return values


def export(run_dir: pathlib.Path, output_dir: pathlib.Path, overwrite: bool) -> None:
    """Writes the set of a run's newest checkpoint.

    Raises:
        InputError: If there is no such run, or `output_dir` may not be written.
    """
    # Before the checkpoint is read, which can take long.
    if output_dir.exists() and not output_dir.is_dir():
        raise InputError(f"--output_dir={output_dir} is a file: name a directory")
    if output_dir.exists() and any(output_dir.iterdir()):
        if not is_distilled_set(output_dir):
            raise InputError(
                f"--output_dir={output_dir} holds other things than a distilled set: "
                "name a new or empty directory"
            )
        if not overwrite:
            raise InputError(
                f"--output_dir={output_dir} holds a distilled set: name another "
                "directory, or add --overwrite to replace it"
            )
    record = RunDirectory(run_dir).read_config()
    images, iteration = load_images(run_dir)
    metadata = metadata_of_run(record, iteration)
    write_distilled_set(output_dir, DistilledSet.from_class_images(images, metadata))
    print(
        f"{images.shape[0]} classes x {images.shape[1]} images after {iteration} "
        f"iterations: {output_dir}"
    )


def main(argv: Sequence[str]) -> int:
    """Runs the program and returns its exit code: 0, or 2 after one line of error."""
    values = define_flags()
    if "--help" in argv or "-h" in argv:
        print(__doc__ + values.get_help())
        return 0
    try:
        leftover = values(argv)[1:]
        if leftover:
            raise InputError(f"{leftover[0]!r} is not a flag: give --name=value")
        for name in ("run_dir", "output_dir"):
            if not values[name].value:
                raise InputError(f"--{name} is missing; --help says what it is")
        export(
            pathlib.Path(values.run_dir),
            pathlib.Path(values.output_dir),
            values.overwrite,
        )
    except (InputError, flags.Error) as error:
        print("export_tfrecord:", *str(error).split(), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
