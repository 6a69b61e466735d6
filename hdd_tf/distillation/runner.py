"""One run from its settings to its result: the order of things."""

import time
from typing import Any

import tensorflow as tf

from hdd_tf.analysis.pruning import pruned_dataset
from hdd_tf.analysis.write import analyse
from hdd_tf.artifacts.checkpoint_files import CheckpointFiles
from hdd_tf.artifacts.decoding import decode_set
from hdd_tf.artifacts.distilled_set import (
    DistilledSet,
    metadata_of_run,
    write_distilled_set,
)
from hdd_tf.artifacts.pictures import save_grid
from hdd_tf.artifacts.provenance import describe_environment
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.summaries import SummaryWriter
from hdd_tf.config import Config, identity, to_flag_file, to_json
from hdd_tf.data.dataset import Dataset
from hdd_tf.distillation.assembly import Distillation, build_distillation
from hdd_tf.distillation.checkpoints import DistillationCheckpoints
from hdd_tf.distillation.finished import (
    complete_result,
    keep_fair_score,
    read_export,
)
from hdd_tf.distillation.loop import run_iterations, stop_on_signals
from hdd_tf.distillation.monitor import RunMonitor
from hdd_tf.distillation.profiling import ProfiledStep
from hdd_tf.distillation.selection import BestOnValidation, Candidates, Keeper
from hdd_tf.evaluate.evaluation import Evaluation
from hdd_tf.evaluate.saved_classifier import save_classifier
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.registry import matched_network


def run_experiment(
    config: Config, dataset: Dataset, strategy: tf.distribute.Strategy
) -> dict[str, Any]:
    """Distils, exports, and scores the export; resumes whatever is already there.

    Args:
        config: The run's settings; `run_dir` says where.
        dataset: The real images.
        strategy: Where to compute.

    Returns:
        The contents of `result.json`.

    Raises:
        InputError: settings, data and run directory do not fit together.
        InterruptedRunError: a signal stopped the run, with its state saved.
    """
    directory = RunDirectory(config.run_dir)
    # Before networks are trained that a refused or finished run does not need.
    directory.check(identity(config), _data_record(dataset))
    finished = directory.read_result()
    told = not config.best_on_test or (finished and "best_on_test" in finished)
    if finished and finished["iterations"] >= config.iterations and told:
        return complete_result(
            config,
            directory,
            finished,
            lambda: Evaluation(
                config,
                dataset,
                matched_network(config, dataset.image_shape, dataset.num_classes),
            ),
        )
    CheckpointFiles(directory.checkpoints).check()
    network = matched_network(config, dataset.image_shape, dataset.num_classes)
    # Before experts train, or the run writes anything: it refuses what cannot be.
    evaluation = Evaluation(config, dataset, network)
    matched = pruned_dataset(config, dataset, network)
    distillation = build_distillation(config, matched, strategy, network)
    directory = open_run(config, dataset)
    metadata = metadata_of_run(directory.read_config(), config.iterations)
    best = candidates = None
    if config.select == "best_validation":
        best = BestOnValidation(directory, metadata)
    if config.best_on_test:
        candidates = Candidates(directory, metadata)
    seconds = _distil(
        config,
        dataset,
        network,
        directory,
        distillation,
        evaluation,
        metadata,
        [keeper for keeper in (best, candidates) if keeper],
    )
    pixels = distillation.synthetic_set.pixels()
    distilled = best.read() if best else None
    if distilled is None:
        distilled = DistilledSet.from_class_images(pixels, metadata)
    if pixels.shape[-1] in (1, 3):
        save_grid(
            directory.pictures / "final.png",
            distilled.images.reshape(pixels.shape),
            dataset.label_names,
        )
    write_distilled_set(directory.synthetic, distilled)
    if config.formation_factor > 1:
        write_distilled_set(directory.synthetic_decoded, decode_set(distilled))
    result = score_export(
        config,
        dataset,
        directory,
        evaluation,
        config.iterations,
        {"distil": round(seconds, 3)},
    )
    if candidates:
        result["best_on_test"] = candidates.best_on_test(evaluation)
        directory.write_result(result)
    return result


def open_run(config: Config, dataset: Dataset) -> RunDirectory:
    """Makes `run_dir` the run's, or finds that it is already.

    Raises:
        InputError: the directory belongs to another run, or holds other things.
    """
    directory = RunDirectory(config.run_dir)
    directory.open_or_create(
        to_json(config),
        identity(config),
        to_flag_file(config),
        describe_environment(),
        _data_record(dataset),
    )
    return directory


def _data_record(dataset: Dataset) -> dict[str, Any]:
    """Returns what a run's `config.json` says of its data."""
    return {
        "name": dataset.name,
        "label_names": dataset.label_names,
        "mean": dataset.mean,
        "std": dataset.std,
        "training_images": len(dataset.training.labels),
        "test_images": len(dataset.test.labels),
    }


def _distil(
    config: Config,
    dataset: Dataset,
    network: FunctionalNetwork,
    directory: RunDirectory,
    distillation: Distillation,
    evaluation: Evaluation,
    metadata: dict[str, Any],
    keepers: list[Keeper],
) -> float:
    """Runs what is left of the iterations; returns seconds of distillation in all."""
    synthetic_set = distillation.synthetic_set
    checkpoints = DistillationCheckpoints(
        directory.checkpoints,
        synthetic_set,
        distillation.image_sgd,
        distillation.objective,
        config.keep_checkpoints,
    )
    start, seconds = checkpoints.restore()
    if start:
        print(f"{config.run_dir} goes on from iteration {start}.")

    def validate() -> float:
        images = DistilledSet.from_class_images(synthetic_set.pixels(), metadata)
        return evaluation.score_set(images, split="validation").mean

    def look(iteration: int, summaries: SummaryWriter) -> None:
        images = DistilledSet.from_class_images(synthetic_set.pixels(), metadata)
        analyse(
            config, dataset, network, directory, images, iteration, summaries,
            final=False,
        )  # fmt: skip

    with (
        stop_on_signals() as stop,
        RunMonitor(
            config=config,
            directory=directory,
            checkpoints=checkpoints,
            synthetic_set=synthetic_set,
            label_names=dataset.label_names,
            start=start,
            seconds=seconds,
            stop=stop,
            evaluate=validate,
            analyse=look,
            keepers=keepers,
        ) as monitor,
    ):
        if start:
            monitor.look(start)
        step = distillation.step
        run_iterations(
            ProfiledStep(step, directory.tensorboard) if config.profile else step,
            start,
            config.iterations,
            config.steps_per_call,
            monitor.after_block,
            (
                config.checkpoint_every,
                config.picture_every,
                config.eval_every,
                config.analysis_every,
            ),
            dataset.label_names,
        )
        return monitor.seconds


def score_export(
    config: Config,
    dataset: Dataset,
    directory: RunDirectory,
    evaluation: Evaluation,
    iterations: int,
    seconds: dict[str, float],
) -> dict[str, Any]:
    """Scores the exported files, and writes and returns the result.

    The first network trained on them is written too, as `saved_model/classifier`.

    Args:
        config: The run's settings.
        dataset: The real images.
        directory: The run's, with its export.
        evaluation: Of the run's settings.
        iterations: How many the run was to do.
        seconds: What the making of the set took, by name.
    """
    started = time.perf_counter()
    # What is scored is what users get: the files, not the variables in memory.
    result = evaluation.result(read_export(directory))
    if evaluation.classifier and config.analysis:
        save_classifier(directory.saved_models / "classifier", evaluation, dataset)
    with SummaryWriter(directory.tensorboard) as summaries:
        summaries.scalars(
            iterations,
            {
                f"accuracy/test_{network}": score["mean"]
                for network, score in result["accuracy"].items()
            },
        )
    # What was asked for, and what a later start compares with; `selected` says which
    # iteration's images these are.
    result["iterations"] = iterations
    result["seconds"] = {
        **seconds,
        "evaluate": round(time.perf_counter() - started, 3),
    }
    result = keep_fair_score(directory, result)
    directory.write_result(result)
    return result
