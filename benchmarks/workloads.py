"""What the benchmarks time of this project: steps and epochs on random images."""

import functools
from typing import Any

import numpy as np
import tensorflow as tf
from timing import Run

from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.step import DistillationStep
from hdd_tf.networks.registry import matched_network
from hdd_tf.objectives.building import build_step
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.random_keys import derive_key
from hdd_tf.reading.loading import dataset_from_arrays
from hdd_tf.training.network_trainer import NetworkTrainer


@functools.lru_cache(maxsize=4)
def random_dataset(
    classes: int, per_class: int, image_shape: tuple[int, int, int]
) -> Dataset:
    """Returns a data set of uniform noise, the same one for the same arguments.

    Args:
        classes: Number of classes.
        per_class: Number of images of each class.
        image_shape: `(h, w, c)` of the images.
    """
    labels = np.repeat(np.arange(classes), per_class)
    shape = (len(labels), *image_shape)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return dataset_from_arrays(images, labels)


def distillation_step(
    classes: int,
    image_shape: tuple[int, int, int],
    strategy: tf.distribute.Strategy | None = None,
    **settings: Any,
) -> DistillationStep:
    """Returns a step, ready to run.

    Args:
        classes: Number of classes.
        image_shape: `(h, w, c)` of the images.
        strategy: Devices of the step; None takes the first CPU.
        **settings: Settings of `Config`; those that are not given are the published
            ones of the method. Networks that it trains ahead stay untrained.
    """
    strategy = strategy or tf.distribute.OneDeviceStrategy("CPU:0")
    config = Config(**{"dataset": "arrays", "loss_weight": 20.0, **settings})
    per_class = max(2 * config.real_batch, config.ipc * config.formation_factor**2)
    dataset = random_dataset(classes, per_class, image_shape)
    network = matched_network(config, image_shape, classes)
    return build_step(MethodContext(config, dataset, network, strategy, dry_run=True))


def step_run(step: DistillationStep) -> Run:
    """Returns a run of one iteration more.

    Raises:
        FloatingPointError: an iteration gave numbers that are not finite.
    """
    done = iter(range(10**9))

    def run() -> None:
        norm = step.run(next(done), 1)["gradient_norm"].numpy()
        if not np.isfinite(norm).all():
            raise FloatingPointError("the step's gradient is not finite")

    return run


def training_run(
    protocol: TrainingProtocol,
    classes: int,
    per_class: int,
    image_shape: tuple[int, int, int],
    precision: str = "float32",
    **settings: Any,
) -> Run:
    """Returns a run of a whole training of a fresh network.

    Args:
        protocol: Training protocol, with the number of epochs.
        classes: Number of classes.
        per_class: Number of training images of each class.
        image_shape: `(h, w, c)` of the images.
        precision: `float32`, `tf32` or `bfloat16`.
        **settings: Settings of `Config` that define the network.

    Raises:
        FloatingPointError: the training's loss is not finite.
    """
    config = Config(**{"dataset": "arrays", **settings})
    dataset = random_dataset(classes, per_class, image_shape)
    network = matched_network(config, image_shape, classes).in_precision(precision)
    training = dataset.training
    trainer = NetworkTrainer(
        network, training.images, training.labels, dataset.normalisation, protocol
    )
    key = derive_key(0, 0)

    def run() -> None:
        if not np.isfinite(trainer.train(key)):
            raise FloatingPointError("the training's loss is not finite")

    return run
