"""Builds a distillation from its settings: every part, wired, none of it run."""

import dataclasses

import keras
import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.config import Config
from hdd_tf.data.class_store import ClassStore
from hdd_tf.data.dataset import Dataset
from hdd_tf.distillation.class_blocks import default_max_images, plan_class_blocks
from hdd_tf.distillation.step import DistillationStep
from hdd_tf.distillation.synthetic_set import SyntheticSet, initial_images
from hdd_tf.geometry.registry import build_geometry
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.registry import matched_network
from hdd_tf.objectives.registry import OBJECTIVES


@dataclasses.dataclass(frozen=True)
class Distillation:
    """The parts that a run's loop, checkpoints and evaluation share."""

    network: FunctionalNetwork
    synthetic_set: SyntheticSet
    optimizer: keras.optimizers.Optimizer
    step: DistillationStep


def build_distillation(
    config: Config, dataset: Dataset, strategy: tf.distribute.Strategy
) -> Distillation:
    """Builds the parts of a distillation.

    Args:
        config: The run's settings.
        dataset: The real images.
        strategy: Where to compute.

    Returns:
        The parts; the synthetic images are at their start.

    Raises:
        InputError: settings and data do not fit (see `initial_images` and
            `matched_network`).
    """
    training = dataset.training
    store = ClassStore(
        training.images, training.labels, dataset.num_classes, dataset.mean, dataset.std
    )
    network = matched_network(config, dataset.image_shape, dataset.num_classes)
    start = initial_images(
        config.init, store, config.ipc, config.seed, dataset.num_classes
    )
    with strategy.scope():
        synthetic_set = SyntheticSet(start, dataset.mean, dataset.std)
        optimizer = keras.optimizers.SGD(config.image_lr, config.image_momentum)
        # Slots first made inside a replica's graph would fail there.
        optimizer.build([synthetic_set.images])
    blocks = plan_class_blocks(
        dataset.num_classes,
        strategy.num_replicas_in_sync,
        real_per_class=min(config.real_batch, int(tf.reduce_max(store.sizes))),
        synthetic_per_class=config.ipc,
        max_images=config.max_images_per_forward
        or default_max_images(dataset.image_shape, config.width),
    )
    step = DistillationStep(
        strategy=strategy,
        synthetic_set=synthetic_set,
        optimizer=optimizer,
        store=store,
        objective=OBJECTIVES[config.objective](network, config.seed),
        geometry=build_geometry(config),
        blocks=blocks,
        real_batch=config.real_batch,
        augmentations=dsa.parse_strategy(config.dsa),
        seed=config.seed,
    )
    return Distillation(network, synthetic_set, optimizer, step)
