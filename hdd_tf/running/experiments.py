"""The work of the command: one experiment, or several with consecutive seeds."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from hdd_tf.analysis.finished_run import analyse_finished_run, analysis_is_due
from hdd_tf.config import Config, cadences, identity
from hdd_tf.data.dataset import Dataset
from hdd_tf.data.image_rows import failed_reads_named
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.distributed.cluster import read_cluster
from hdd_tf.distributed.compilation import check_compilation
from hdd_tf.distributed.precision import computing_in
from hdd_tf.distributed.processor import onednn_hint
from hdd_tf.distributed.signal_watch import SignalWatch
from hdd_tf.distributed.strategies import build_strategy
from hdd_tf.distributed.workers import Workers
from hdd_tf.errors import InputError, one_line
from hdd_tf.evaluation.pooling import pool_results
from hdd_tf.evaluation.result_text import result_table
from hdd_tf.exporting.installation import check_installation
from hdd_tf.files import atomic, lock
from hdd_tf.protocols.published import check_labels
from hdd_tf.reading.folders.own_places import refuse_own_places
from hdd_tf.reading.loading import load_configured_dataset
from hdd_tf.running.dry_run import estimate_run
from hdd_tf.running.outputs import check_parent
from hdd_tf.running.runner import fill_bank, run_experiment
from hdd_tf.running.selection_run import run_selection
from hdd_tf.running.shared_data import load_shared
from hdd_tf.training.settled_precision import settled, told_slowness

_SHOWN_NAMES = 20


def run_experiments(config: Config) -> dict[str, Any] | None:
    """Runs the experiments of a command, and prints their result.

    Args:
        config: Settings of the command. With `num_experiments` above 1, each experiment
            has its own run directory, `run_dir/seed<N>`, and `run_dir/result.json`
            pools the results.

    Returns:
        The contents of `run_dir/result.json`; None for a dry run, and in a process that
        is not the chief.

    Raises:
        InputError: settings, data and run directory do not match, or another process
            uses the directory.
        InterruptedRunError: a signal stopped the run, with its state saved.
        LostWorkerError: another process of the run has ended.
    """
    several_workers = read_cluster() is not None
    if config.dry_run and several_workers:
        raise InputError(
            "--dry_run estimates a run of one process: unset TF_CONFIG for it"
        )
    strategy = build_strategy(config.strategy, config.num_virtual_devices)
    if not several_workers:
        return _run(config, strategy, Workers(strategy))
    with SignalWatch() as watch:
        return _run(config, strategy, Workers(strategy, watch))


def fill_banks(config: Config) -> None:
    """Fills the banks of a command's experiments, and prints where they lie.

    Args:
        config: Settings of the command, with a bank over all real images.

    Raises:
        InputError: settings and data do not match.
        InterruptedRunError: a signal stopped it, with all but a class saved.
    """
    strategy = build_strategy(config.strategy, config.num_virtual_devices)
    workers = Workers(strategy)
    with _computing(config, strategy, workers) as config:
        for each in _each_seed(config):
            run = RunContext.build(each, _load(each, workers), strategy, workers)
            for work in fill_bank(run):
                print(f"{work.name}: {one_line(work.count)}", flush=True)


def _run(
    config: Config, strategy: tf.distribute.Strategy, workers: Workers
) -> dict[str, Any] | None:
    """Runs the command in this process."""
    with _computing(config, strategy, workers) as config:
        # Cadences too, because they decide where blocks of iterations end.
        settings = [identity(config), cadences(config), config.num_experiments]
        workers.assert_same("settings", settings)
        if config.dry_run:
            check_installation(config)
            dataset = _load(config, workers)
            print(estimate_run(RunContext.build(config, dataset, strategy, workers)))
            return None
        experiments = _each_seed(config)
        if len(experiments) > 1:
            result = _run_several(config, experiments, strategy, workers)
        else:
            result = _run_alone(config, strategy, workers)
        # All end together, so that a restart of one process is a restart of all.
        workers.wait("the end of the command")
        return result


@contextlib.contextmanager
def _computing(
    config: Config, strategy: tf.distribute.Strategy, workers: Workers
) -> Iterator[Config]:
    """Says where this process computes, and yields the settled settings."""
    devices = [d.split("device:")[-1] for d in strategy.extended.worker_devices]
    config = settled(config)
    check_labels(config)
    check_compilation(config.jit_compile, strategy)
    refuse_own_places(config)  # Before the run's directory is made.
    of_several = f"worker {workers.index} of {workers.count}, " * (workers.count > 1)
    print(f"{of_several}computing on {', '.join(devices)}", flush=True)
    hint = onednn_hint() if workers.is_chief else ""
    for line in filter(None, (told_slowness(config), hint)):
        print(line, flush=True)
    with (
        workers.lost_ones_told(),
        workers.chief_dismisses(),
        _exhaustion_as_input_error(),
        failed_reads_named(),
        computing_in(config.precision),
    ):
        yield config


@contextlib.contextmanager
def _exhaustion_as_input_error() -> Iterator[None]:
    """Turns TensorFlow's errors of exhausted memory or disk into an `InputError`."""
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise InputError(
            "memory or disk is used up: make room, or lower --max_images_per_forward "
            "(to 256, 64, ...) where images are distilled, --eval_batch where they are "
            "scored; the same command goes on from the last checkpoint."
        ) from error


def _each_seed(config: Config) -> list[Config]:
    """Returns the settings of each experiment, with its own directory."""
    if config.num_experiments == 1:
        return [config]
    return [
        dataclasses.replace(
            config,
            seed=seed,
            num_experiments=1,
            run_dir=str(pathlib.Path(config.run_dir) / f"seed{seed}"),
        )
        for seed in range(config.seed, config.seed + config.num_experiments)
    ]


def _run_alone(
    config: Config, strategy: tf.distribute.Strategy, workers: Workers
) -> dict[str, Any] | None:
    """Runs one experiment and analyses its result."""
    with _held(config.run_dir, workers):
        run, result = _run_one(config, strategy, workers)
        if run and result and analysis_is_due(config, result["iterations"]):
            _analyse(run, result)
    return result


def _run_several(
    config: Config,
    experiments: list[Config],
    strategy: tf.distribute.Strategy,
    workers: Workers,
) -> dict[str, Any] | None:
    """Runs experiments one by one, pools their results, then analyses each."""
    parent = pathlib.Path(config.run_dir)
    if workers.is_chief:
        check_parent(parent)
    with _held(parent, workers):
        results = []
        for experiment in experiments:
            with _held(experiment.run_dir, workers):
                results.append(_run_one(experiment, strategy, workers)[1])
        found = [result for result in results if result is not None]
        if not found:
            return None
        pooled = pool_results(found)
        atomic.write_json_of_numbers(parent / "result.json", pooled)
        print(result_table(pooled, config.run_dir), flush=True)
        # Analyses come last, when all results are written.
        for experiment, result in zip(experiments, found, strict=True):
            if analysis_is_due(experiment, result["iterations"]):
                with _held(experiment.run_dir, workers):
                    dataset = load_configured_dataset(experiment)
                    _analyse(RunContext.build(experiment, dataset, strategy), result)
    return pooled


def _run_one(
    config: Config, strategy: tf.distribute.Strategy, workers: Workers
) -> tuple[RunContext | None, dict[str, Any] | None]:
    """Makes a set, scores it, and prints the result.

    Returns:
        The experiment and the contents of its `result.json`. The result is None in a
        process that is not the chief, and so is the experiment of a selection.
    """
    if config.traits.is_selection and not workers.is_chief:
        return None, None
    if config.traits.is_selection:
        dataset = _load(config, workers)
    else:
        dataset = _load(config, workers, strategy)
    run = RunContext.build(config, dataset, strategy, workers)
    result = run_selection(run) if config.traits.is_selection else run_experiment(run)
    if result is not None:
        print(result_table(result, config.run_dir), flush=True)
    return run, result


def _load(
    config: Config, workers: Workers, shared_by: tf.distribute.Strategy | None = None
) -> Dataset:
    """Loads the data, and says which classes are kept where some were chosen.

    Args:
        config: Settings of the experiment.
        workers: The processes.
        shared_by: Strategy of the processes that load the data together; None where
            this process uses them alone.
    """
    if shared_by is None:
        dataset = load_configured_dataset(config)
    else:
        dataset = load_shared(config, shared_by, workers)
    if config.classes and workers.is_chief:
        names = list(dataset.label_names)
        more = ", ..." if len(names) > _SHOWN_NAMES else ""
        shown = one_line(", ".join(names[:_SHOWN_NAMES]))
        print(f"{len(names)} classes kept: {shown}{more}", flush=True)
    return dataset


def _held(
    directory: str | pathlib.Path, workers: Workers
) -> contextlib.AbstractContextManager[None]:
    """Locks a directory against other commands, for all processes of this one."""
    return lock.locked(directory) if workers.is_chief else contextlib.nullcontext()


def _analyse(run: RunContext, result: dict[str, Any]) -> None:
    """Analyses a set whose result is written.

    Raises:
        InputError: the analysis failed; the message adds that the result is complete.
    """
    try:
        analyse_finished_run(run, result["iterations"])
    except (InputError, OSError) as error:
        raise InputError(
            f"{error} (The result is complete, only its analysis is missing; "
            "--noanalysis does without.)"
        ) from error
