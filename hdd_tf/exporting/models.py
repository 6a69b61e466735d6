"""Exports that train or use networks: SavedModels, projector files, pruned sets."""

import pathlib
from collections.abc import Sequence

from hdd_tf.analysis.analyse import encoder_metadata
from hdd_tf.analysis.disk_layout import lay_out
from hdd_tf.analysis.embeddings import embed
from hdd_tf.analysis.encoder_of_run import EncoderOfRun
from hdd_tf.analysis.measures import nothing_to_see
from hdd_tf.analysis.projector import refuse_foreign, write_projector
from hdd_tf.analysis.pruning import pruned_set, tangent_norms
from hdd_tf.arguments.command_line import recorded_config
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.saved_models import is_replaceable, save_model
from hdd_tf.artifacts.sets.decoding import decode_set
from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.config import Config
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.evaluation.saved_classifier import train_and_save_classifier
from hdd_tf.exporting.sets import set_of_run
from hdd_tf.exporting.targets import check_replaceable
from hdd_tf.files.links import check_writable, refuse_links_out
from hdd_tf.reading.loading import load_configured_dataset


def export_projector(
    config: Config, directory: RunDirectory, place: pathlib.Path
) -> None:
    """Writes a run's embeddings for TensorBoard's projector, and prints a summary.

    Args:
        config: Settings of the run, some of which may be overridden.
        directory: Directory of the run.
        place: Directory of the projector's files; an earlier projector is replaced.

    Raises:
        InputError: the run has no readable images, its data cannot be loaded, or the
            place cannot be written to or has another program's projector.
    """
    refuse_links_out(directory.path)
    # Before an encoder is trained.
    refuse_foreign(place)
    check_writable(place)
    images = set_of_run(directory.path)
    dataset = load_configured_dataset(config, keeps=False)
    run = RunContext.build(config, dataset, directory=directory)
    _, embeddings = embed(run, EncoderOfRun(run).weights(), decode_set(images))
    reason = nothing_to_see(embeddings)
    write_projector(place, embeddings, None if reason else lay_out(embeddings))
    if reason:
        print(f"no poincare_disk: {reason}")
    print(
        f"{(~embeddings.synthetic).sum()} real and {embeddings.synthetic.sum()} "
        f"synthetic images: tensorboard --logdir={place}"
    )


def export_saved_models(
    config: Config,
    directory: RunDirectory,
    output: pathlib.Path,
    names: Sequence[str],
) -> None:
    """Writes SavedModels of a run, and prints a line for each.

    Args:
        config: Settings of the run, some of which may be overridden.
        directory: Directory of the run.
        output: Parent directory of the SavedModels, whose directories have their names.
        names: `encoder`, `classifier`, or both.

    Raises:
        InputError: the run has no readable images, or its data cannot be loaded.
    """
    images = set_of_run(directory.path)
    dataset = load_configured_dataset(config, keeps=False)
    run = RunContext.build(config, dataset, directory=directory)
    if "encoder" in names:
        weights = EncoderOfRun(run).weights()
        encoder, embeddings = embed(run, weights, decode_set(images))
        metadata = encoder_metadata(embeddings, images.metadata.get("iteration"))
        save_model(output / "encoder", encoder, metadata)
        print(f"encoder, {embeddings.origin['source']}: {output / 'encoder'}")
    if "classifier" in names:
        place = output / "classifier"
        accuracy = train_and_save_classifier(place, config, dataset, images)
        print(f"classifier, {accuracy:.2f} % of the test split: {place}")


def prune_set_of_run(
    distilled_set: DistilledSet,
    run_dir: str | pathlib.Path,
    fraction: float,
    keep: str,
    overrides: Sequence[str],
) -> DistilledSet:
    """Returns a part of a run's images, decoded; see `analysis.pruning.pruned_set`.

    Args:
        distilled_set: The images as stored.
        run_dir: Directory of the run, whose settings give the encoder.
        fraction: Part of each class to keep, in (0, 1].
        keep: Order of the images, one of `parsers.KEEP`.
        overrides: Flags that override settings of the run.

    Raises:
        InputError: the run's data cannot be loaded, or all radii are the same.
    """
    directory = RunDirectory(run_dir)
    config = recorded_config(directory.read_config()["config"], overrides)
    decoded, norms = decode_set(distilled_set), None
    if keep != "random":
        dataset = load_configured_dataset(config, keeps=False)
        run = RunContext.build(config, dataset, directory=directory)
        weights = EncoderOfRun(run).weights()
        norms = tangent_norms(dataset, run.network, weights, decoded.images)
    return pruned_set(decoded, norms, fraction, keep, config.seed)


def check_targets(output: pathlib.Path, names: Sequence[str], overwrite: bool) -> None:
    """Checks, before anything is trained, that SavedModels may be written.

    Args:
        output: Parent directory of the SavedModels.
        names: Names of the SavedModels.
        overwrite: True if SavedModels that exist may be replaced.

    Raises:
        InputError: a target holds foreign files, or a SavedModel that may not be
            replaced.
    """
    for target in (output / name for name in names):
        ours = is_replaceable(target)
        check_replaceable(target, "a SavedModel of hdd_tf", ours, overwrite)
