"""A run that chooses real images instead of distilling; all else is as in `runner`."""

import time
from typing import Any

import tensorflow as tf

from hdd_tf.artifacts.distilled_set import (
    DistilledSet,
    metadata_of_run,
    read_distilled_set,
)
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.summaries import SummaryWriter
from hdd_tf.config import Config, identity
from hdd_tf.data.dataset import Dataset
from hdd_tf.distillation.finished import complete_result
from hdd_tf.distillation.run_outputs import open_run, score_export, write_export
from hdd_tf.distillation.workers import Workers
from hdd_tf.errors import InputError
from hdd_tf.evaluate.evaluation import Evaluation
from hdd_tf.networks.registry import matched_network


def run_coreset(
    config: Config,
    dataset: Dataset,
    strategy: tf.distribute.Strategy,
    workers: Workers,
) -> dict[str, Any]:
    """Chooses a coreset, exports it as distilled sets are, and scores the export.

    There are no iterations and no checkpoints. A run that was stopped chooses again,
    the same images; once they are exported, it only scores them.

    Args:
        config: The run's settings; `run_dir` says where.
        dataset: The real images.
        strategy: Not used: one network on one device is all there is to train.
        workers: Not used; see `experiments`.

    Returns:
        The contents of `result.json`.

    Raises:
        InputError: settings, data and run directory do not fit together.
    """
    network = matched_network(config, dataset.image_shape, dataset.num_classes)
    evaluation = Evaluation(config, dataset, network)
    smallest = evaluation.coresets.smallest_class
    if config.ipc > smallest:
        raise InputError(
            f"--ipc={config.ipc} is more than the smallest class has ({smallest} "
            "training images); lower --ipc."
        )
    directory = open_run(config, dataset)
    finished = directory.read_result()
    if finished:
        return complete_result(config, directory, finished, lambda: evaluation)
    if not directory.synthetic.exists():
        _export_coreset(config, dataset, directory, evaluation)
    metadata = read_distilled_set(directory.synthetic).metadata
    seconds = {"select": metadata.get("seconds", 0.0)}
    return score_export(config, dataset, directory, evaluation, 0, seconds)


def _export_coreset(
    config: Config, dataset: Dataset, directory: RunDirectory, evaluation: Evaluation
) -> None:
    """Chooses the images and writes them, and their picture."""
    started = time.perf_counter()
    rows = evaluation.coresets.select(config.objective, config.ipc)
    metadata = {
        **metadata_of_run(directory.read_config(), 0),
        "geometry": "none",
        "selected": f"real images by {config.objective}",
        # Of the training split, after any validation split was taken out.
        "training_rows": rows,
        "seconds": round(time.perf_counter() - started, 3),
    }
    images = dataset.training.images[rows].reshape(
        dataset.num_classes, config.ipc, *dataset.image_shape
    )
    with SummaryWriter(directory.tensorboard) as summaries:
        summaries.hyper_parameters(identity(config), directory.path.name)
    coreset = DistilledSet.from_class_images(images, metadata)
    write_export(directory, coreset, dataset.num_classes)
