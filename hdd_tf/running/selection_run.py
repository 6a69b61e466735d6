"""A run of a method without iterations; all else is as in `runner`."""

import time
from typing import Any

import tensorflow as tf

from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.sets.distilled_set import read_distilled_set
from hdd_tf.artifacts.summaries import SummaryWriter
from hdd_tf.config import Config, identity
from hdd_tf.data.dataset import Dataset
from hdd_tf.distillation.method import Method
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distributed.workers import Workers
from hdd_tf.evaluation.evaluation import Evaluation
from hdd_tf.exporting.metadata import metadata_of_set
from hdd_tf.networks.registry import matched_network
from hdd_tf.objectives.registry import build_method
from hdd_tf.running.finished import complete_result
from hdd_tf.running.run_outputs import (
    open_run,
    score_export,
    write_export,
)


def run_selection(
    config: Config,
    dataset: Dataset,
    strategy: tf.distribute.Strategy,
    workers: Workers,
) -> dict[str, Any]:
    """Makes a set in one go, exports it as distilled sets are, and scores the export.

    There are no iterations and no checkpoints. A run that was stopped makes the same
    set again; once it is exported, it only scores it.

    Args:
        config: The run's settings; `run_dir` says where.
        dataset: The real images.
        strategy: Where to compute.
        workers: Not used; see `experiments`.

    Returns:
        The contents of `result.json`.

    Raises:
        InputError: settings, data and run directory do not fit together.
    """
    network = matched_network(config, dataset.image_shape, dataset.num_classes)
    method = build_method(MethodContext(config, dataset, network, strategy))
    evaluation = Evaluation(config, dataset, network, method.coresets)
    directory = open_run(config, dataset)
    finished = directory.read_result()
    if finished:
        return complete_result(config, directory, finished, lambda: evaluation)
    if not directory.synthetic.exists():
        _export(config, dataset, directory, method)
    metadata = read_distilled_set(directory.synthetic).metadata
    seconds = {"select": metadata.get("seconds", 0.0)}
    return score_export(config, dataset, directory, evaluation, 0, seconds)


def _export(
    config: Config, dataset: Dataset, directory: RunDirectory, method: Method
) -> None:
    """Makes the set and writes it, and its picture."""
    started = time.perf_counter()
    method.train_ahead()
    metadata = metadata_of_set(config, directory.read_config(), 0)
    chosen = method.result(metadata)
    chosen.metadata["seconds"] = round(time.perf_counter() - started, 3)
    with SummaryWriter(directory.tensorboard) as summaries:
        summaries.hyper_parameters(identity(config), directory.path.name)
    write_export(directory, chosen, dataset.num_classes)
