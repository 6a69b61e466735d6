"""The part of a process that is not the chief: it computes, and writes nothing."""

import tensorflow as tf

from hdd_tf.analysis.pruning import pruned_dataset
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.config import Config, cadences
from hdd_tf.data.dataset import Dataset
from hdd_tf.distillation.checkpoints import DistillationCheckpoints
from hdd_tf.distillation.method import IterativeMethod
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.step import DistillationStep
from hdd_tf.distributed.workers import Workers
from hdd_tf.errors import InputError
from hdd_tf.networks.registry import matched_network
from hdd_tf.objectives.registry import build_iterative
from hdd_tf.running.loop import BlockReport, run_iterations, stop_on_signals
from hdd_tf.running.run_outputs import compare_data


def run_as_worker(
    config: Config,
    dataset: Dataset,
    strategy: tf.distribute.Strategy,
    workers: Workers,
) -> None:
    """Computes this process's share of a distillation, in step with the chief's.

    Args:
        config: The run's settings, the same as the chief's. Its `run_dir` and
            `expert_dir` lie where all processes see them.
        dataset: The real images.
        strategy: The strategy all share.
        workers: Who shares it.

    Raises:
        InputError: the chief's files are not seen here, or the images differ.
        InterruptedRunError: a signal asked a process of the run to stop.
    """
    network = matched_network(config, dataset.image_shape, dataset.num_classes)
    # By now the chief has trained whatever is trained ahead.
    if not workers.of_chief(False):
        return
    compare_data(workers, dataset)
    matched = pruned_dataset(config, dataset, network)
    method = build_iterative(MethodContext(config, matched, network, strategy))
    # Which reads what the chief has kept.
    method.train_ahead()
    method.assemble()
    start = workers.of_chief(0)
    if start and _restore(config, method) != start:
        raise InputError(
            f"worker {workers.index} does not see the chief's checkpoint of iteration "
            f"{start}: give a --run_dir on a file system that all workers share."
        )
    with stop_on_signals() as stop:

        def after_block(report: BlockReport) -> None:
            stopping = workers.any(stop.signal is not None)
            stop.share(stopping)
            # A signal that came meanwhile the others do not know of yet.
            if stopping:
                stop.check()

        run_iterations(
            DistillationStep(method),
            start,
            config.iterations,
            config.steps_per_call,
            after_block,
            cadences(config),
            dataset.label_names,
            workers.of_chief,
        )


def _restore(config: Config, method: IterativeMethod) -> int:
    """Restores what the chief has restored; returns its iterations."""
    directory = RunDirectory(config.run_dir).checkpoints
    return DistillationCheckpoints(directory, method.state()).restore()[0]
