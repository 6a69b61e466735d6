"""One run from its settings to its result: the order of things."""

from contextlib import nullcontext
from typing import Any

import tensorflow as tf

from hdd_tf.analysis.analyse import analyse
from hdd_tf.analysis.encoder_of_run import EncoderOfRun
from hdd_tf.analysis.pruning import pruned_dataset
from hdd_tf.artifacts.checkpoint_files import CheckpointFiles
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.artifacts.sets.run_whitening import keep_whitening
from hdd_tf.artifacts.summaries import SummaryWriter
from hdd_tf.config import Config, cadences, identity
from hdd_tf.data.dataset import Dataset
from hdd_tf.distillation.checkpoints import DistillationCheckpoints
from hdd_tf.distillation.method import IterativeMethod
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.step import DistillationStep
from hdd_tf.distributed.workers import Workers
from hdd_tf.errors import InputError
from hdd_tf.evaluation.evaluation import Evaluation
from hdd_tf.exporting.metadata import metadata_of_set
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.registry import matched_network
from hdd_tf.objectives.registry import build_iterative
from hdd_tf.running.finished import complete_result
from hdd_tf.running.keepers import BestOnValidation, Candidates, Keeper
from hdd_tf.running.loop import BlockReport, run_iterations, stop_on_signals
from hdd_tf.running.monitor import RunMonitor
from hdd_tf.running.profiling import ProfiledStep
from hdd_tf.running.run_outputs import (
    compare_data,
    data_record,
    open_run,
    score_export,
    write_export,
)


def run_experiment(
    config: Config,
    dataset: Dataset,
    strategy: tf.distribute.Strategy,
    workers: Workers,
) -> dict[str, Any]:
    """Distils, exports, and scores the export; resumes whatever is already there.

    Of several processes this is the chief's part; the others' is `worker_run`.

    Args:
        config: The run's settings; `run_dir` says where.
        dataset: The real images.
        strategy: Where to compute.
        workers: Who shares it.

    Returns:
        The contents of `result.json`.

    Raises:
        InputError: settings, data and run directory do not fit together.
        InterruptedRunError: a signal stopped the run, with its state saved.
    """
    directory = RunDirectory(config.run_dir)
    # Before networks are trained that a refused or finished run does not need.
    directory.check(identity(config), data_record(dataset))
    finished = directory.read_result()
    told = not config.best_on_test or (finished and "best_on_test" in finished)
    if finished and finished["iterations"] >= config.iterations and told:
        workers.of_chief(False)
        keep_whitening(directory.path, dataset.whitening)
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
    method = build_iterative(MethodContext(config, matched, network, strategy))
    method.train_ahead()
    workers.of_chief(True)
    compare_data(workers, dataset)
    with workers.all_take_part():
        method.assemble()
    directory = open_run(config, dataset)
    metadata = metadata_of_set(config, directory.read_config(), config.iterations)
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
        method,
        workers,
        evaluation,
        metadata,
        [keeper for keeper in (best, candidates) if keeper],
    )
    distilled = best.read() if best else None
    if distilled is None:
        distilled = method.result(metadata)
    write_export(directory, distilled, dataset.num_classes)
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


def _distil(
    config: Config,
    dataset: Dataset,
    network: FunctionalNetwork,
    directory: RunDirectory,
    method: IterativeMethod,
    workers: Workers,
    evaluation: Evaluation,
    metadata: dict[str, Any],
    keepers: list[Keeper],
) -> float:
    """Runs what is left of the iterations; returns seconds of distillation in all."""
    checkpoints = DistillationCheckpoints(
        directory.checkpoints, method.state(), config.keep_checkpoints
    )
    start, seconds = checkpoints.restore()
    if start:
        print(f"{config.run_dir} goes on from iteration {start}.")
    workers.of_chief(start)

    def validate(made: DistilledSet) -> float:
        return evaluation.score_set(made, split="validation").mean

    encoder = EncoderOfRun(config, dataset, network, directory.checkpoints)

    def look(iteration: int, summaries: SummaryWriter) -> None:
        images = method.result(metadata)
        try:
            analyse(
                config, dataset, network, directory, encoder.weights(), images,
                iteration, summaries, final=False,
            )  # fmt: skip
        except (InputError, OSError) as error:
            # It only looks; what it looks at goes on.
            print(f"no analysis of iteration {iteration}: {error}", flush=True)

    with (
        stop_on_signals() as stop,
        RunMonitor(
            config=config,
            directory=directory,
            checkpoints=checkpoints,
            synthetic_set=method.synthetic_set,
            make_set=lambda: method.result(metadata),
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

        def after_block(report: BlockReport) -> None:
            stopping = workers.any(stop.signal is not None)
            stop.share(stopping)
            # Where all stop, none waits for the chief.
            with nullcontext() if stopping else workers.chief_alone():
                monitor.after_block(report)

        step = DistillationStep(method)
        with workers.all_take_part():
            run_iterations(
                ProfiledStep(step, directory.tensorboard) if config.profile else step,
                start,
                config.iterations,
                config.steps_per_call,
                after_block,
                cadences(config),
                dataset.label_names,
                workers.of_chief,
            )
        return monitor.seconds
