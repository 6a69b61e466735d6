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

from hdd_tf.analysis.disk_layout import lay_out
from hdd_tf.analysis.measures import nothing_to_see
from hdd_tf.analysis.projector import write_projector
from hdd_tf.analysis.write import embed_set
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.data.loading import load_configured_dataset
from hdd_tf.distillation.images_of_run import newest_images
from hdd_tf.export_program import Command, run_program
from hdd_tf.networks.registry import matched_network


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
    images = newest_images(directory)
    dataset = load_configured_dataset(config)
    network = matched_network(config, dataset.image_shape, dataset.num_classes)
    _, embeddings = embed_set(config, dataset, network, directory, images)
    reason = nothing_to_see(embeddings)
    layout = None if reason else lay_out(embeddings)
    place = pathlib.Path(command.values.output_dir or directory.tensorboard)
    write_projector(place, embeddings, layout)
    if reason:
        print(f"no poincare_disk: {reason}")
    print(
        f"{(~embeddings.synthetic).sum()} real and {embeddings.synthetic.sum()} "
        f"synthetic images: tensorboard --logdir={place}"
    )


def main(argv: Sequence[str]) -> int:
    """Runs the program and returns its exit code."""
    return run_program("export_projector", __doc__ or "", define_flags(), export, argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
