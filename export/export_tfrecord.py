"""Writes a distilled set for other programs: of a run, a checkpoint or another set.

python export/export_tfrecord.py --run_dir=RUN --output_dir=DIR

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
and with the 8-bit ones. See examples/train_on_distilled.py for the use of a set.
"""

import dataclasses
import pathlib
import sys
from collections.abc import Sequence

from absl import flags

from hdd_tf.artifacts.decoding import decode_set
from hdd_tf.artifacts.distilled_set import (
    DistilledSet,
    is_distilled_set,
    metadata_of_run,
    read_distilled_set,
    write_distilled_set,
)
from hdd_tf.artifacts.encodings.registry import ENCODINGS
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.distillation.checkpoints import load_checkpoint_images, load_images
from hdd_tf.errors import InputError

_SOURCES = ("run_dir", "checkpoint", "set")
# Settings of the run that --measure may go without.
_OVERRIDES = ("num_eval", "eval_epochs", "data_dir")


def define_flags() -> flags.FlagValues:
    """Returns this program's flags; no other program's among them."""
    values = flags.FlagValues()

    def text(name: str, about: str) -> None:
        flags.DEFINE_string(name, None, about, flag_values=values)

    text("run_dir", "Run to export, as its newest checkpoint has it.")
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
    flags.DEFINE_enum(
        "encoding",
        "float32",
        list(ENCODINGS),
        "What the images are kept in.",
        flag_values=values,
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
    text("num_eval", "With --measure: networks, instead of the run's number.")
    text("eval_epochs", "With --measure: epochs, instead of the run's number.")
    text("data_dir", "With --measure: where the data set lies, if it was moved.")
    return values


def read_source(values: flags.FlagValues) -> DistilledSet:
    """Returns the set that the flags name, with its images as stored.

    Raises:
        InputError: If there is none.
    """
    if values.set:
        return read_distilled_set(values.set)
    if values.run_dir:
        run = pathlib.Path(values.run_dir)
        record = RunDirectory(run).read_config()
        images, iteration = load_images(run)
    else:
        prefix = values.checkpoint.removesuffix(".index")
        record = _run_of_checkpoint(pathlib.Path(prefix)).read_config()
        images, iteration = load_checkpoint_images(prefix)
    return DistilledSet.from_class_images(images, metadata_of_run(record, iteration))


def _run_of_checkpoint(prefix: pathlib.Path) -> RunDirectory:
    """Returns the run that a checkpoint lies in."""
    above = prefix.absolute().parents
    for directory in above[:3]:
        if RunDirectory(directory).config_file.is_file():
            return RunDirectory(directory)
    raise InputError(
        f"no config.json above the checkpoint {prefix}: give one in a run's "
        "checkpoints/, which says what the images are"
    )


def check_output(output_dir: pathlib.Path, overwrite: bool) -> None:
    """Refuses a directory that may not be written.

    Raises:
        InputError: If it holds other things, or a set that is to stay.
    """
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


def export(values: flags.FlagValues) -> None:
    """Writes the set that the flags ask for.

    Raises:
        InputError: If there is no such set, or `output_dir` may not be written.
    """
    output_dir = pathlib.Path(values.output_dir)
    # Before anything is read, which can take long.
    check_output(output_dir, values.overwrite)
    distilled_set = read_source(values)
    if values.images == "decoded":
        distilled_set = decode_set(distilled_set)
    elif values.images and distilled_set.metadata.get("decoded"):
        raise InputError(
            f"--set={values.set} holds decoded images, and the stored ones cannot be "
            "had from them: leave out --images=stored"
        )
    write_distilled_set(output_dir, distilled_set, values.encoding)
    classes = len(distilled_set.metadata["label_names"])
    print(
        f"{len(distilled_set.images)} images of {classes} classes after "
        f"{distilled_set.metadata.get('iteration', 'unknown')} iterations, "
        f"{values.encoding}: {output_dir}"
    )
    if values.measure:
        measure(values, distilled_set, output_dir)


def measure(
    values: flags.FlagValues, distilled_set: DistilledSet, output_dir: pathlib.Path
) -> None:
    """Scores the set that was written, and writes it again with its accuracy."""
    # Only now: it imports all that trains networks.
    from hdd_tf.evaluate.rounding import measure_rounding

    given = [name for name in _OVERRIDES if values[name].value is not None]
    arguments = [f"--{name}={values[name].value}" for name in given]
    accuracy = measure_rounding(distilled_set, arguments)
    metadata = {**distilled_set.metadata, "accuracy": accuracy}
    distilled_set = dataclasses.replace(distilled_set, metadata=metadata)
    write_distilled_set(output_dir, distilled_set, values.encoding)
    for kind in ("float32", "uint8"):
        if kind in accuracy:
            score = accuracy[kind]
            print(f"{kind}: {score['mean']:.2f} +- {score['std']:.2f} %")


def check_flags(values: flags.FlagValues) -> None:
    """Refuses flags that are missing or do not go together.

    Raises:
        InputError: If so.
    """
    if not values.output_dir:
        raise InputError("--output_dir is missing; --help says what it is")
    given = [f"--{name}" for name in _SOURCES if values[name].value]
    if len(given) != 1:
        raise InputError(
            f"{' and '.join(given) or 'nothing'} to export: give one of --run_dir, "
            "--checkpoint and --set"
        )
    for name in _OVERRIDES:
        if values[name].value is not None and not values.measure:
            raise InputError(f"--{name} is of --measure: add that, or leave it out")


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
        check_flags(values)
        export(values)
    except (InputError, flags.Error) as error:
        print("export_tfrecord:", *str(error).split(), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
