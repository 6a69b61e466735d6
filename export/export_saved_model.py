"""Writes SavedModels of a run, as its newest checkpoint is.

python export/export_saved_model.py --run_dir=RUN --output_dir=DIR

DIR/encoder maps images to features and hyperbolic coordinates, DIR/classifier, which
is trained here on the distilled images, to logits. Both take uint8 or float32 images on
the 0-255 scale, and load without hdd_tf. Works on unfinished runs too. Settings of the
run may be overridden, such as --data_dir, --eval_epochs or --analysis_curvature.
"""

import dataclasses
import pathlib
import sys
from collections.abc import Sequence

from absl import flags

from hdd_tf.analysis.write import embed_set, encoder_metadata
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.saved_models import is_replaceable, save_model
from hdd_tf.data.loading import load_configured_dataset
from hdd_tf.distillation.images_of_run import newest_images
from hdd_tf.errors import InputError
from hdd_tf.evaluate.evaluation import Evaluation
from hdd_tf.evaluate.saved_classifier import save_classifier
from hdd_tf.export_program import Command, run_program
from hdd_tf.networks.registry import matched_network


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
    wanted = ["encoder", "classifier"]
    if command.values.model != "both":
        wanted = [command.values.model]
    # Before anything is trained.
    for name in wanted:
        _check_target(output / name, command.values.overwrite)
    images = newest_images(directory)
    dataset = load_configured_dataset(config)
    network = matched_network(config, dataset.image_shape, dataset.num_classes)
    if "encoder" in wanted:
        encoder, embeddings = embed_set(config, dataset, network, directory, images)
        save_model(output / "encoder", encoder, encoder_metadata(embeddings))
        print(f"encoder, {embeddings.origin['source']}: {output / 'encoder'}")
    if "classifier" in wanted:
        first = (config.eval_networks or (config.network,))[0]
        config = dataclasses.replace(
            config, num_eval=1, eval_networks=(first,), baselines=()
        )
        evaluation = Evaluation(config, dataset, network)
        score = evaluation.result(images)["accuracy"][first]
        save_classifier(output / "classifier", evaluation, dataset)
        print(f"classifier, {score['mean']:.2f} % of the test split: "
              f"{output / 'classifier'}")  # fmt: skip


def _check_target(target: pathlib.Path, overwrite: bool) -> None:
    if not is_replaceable(target):
        raise InputError(
            f"{target} holds other things than a SavedModel of hdd_tf: name another "
            "--output_dir"
        )
    if target.exists() and any(target.iterdir()) and not overwrite:
        raise InputError(
            f"{target} holds a SavedModel: name another --output_dir, or add "
            "--overwrite to replace it"
        )


def main(argv: Sequence[str]) -> int:
    """Runs the program and returns its exit code."""
    return run_program(
        "export_saved_model", __doc__ or "", define_flags(), export, argv
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv))
