"""Builds a distillation from its settings: every part, wired, none of it run."""

import dataclasses

import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.config import Config
from hdd_tf.data.class_store import ClassStore
from hdd_tf.data.dataset import Dataset
from hdd_tf.distillation.class_blocks import default_max_images, plan_class_blocks
from hdd_tf.distillation.class_matching import ClassMatching
from hdd_tf.distillation.image_sgd import ImageSGD
from hdd_tf.distillation.real_bank import RealBank
from hdd_tf.distillation.step import DistillationStep
from hdd_tf.distillation.synthetic_set import SyntheticSet, initial_images
from hdd_tf.geometry.registry import build_geometry
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.objectives.base import Objective
from hdd_tf.objectives.registry import OBJECTIVES, Parts


@dataclasses.dataclass(frozen=True)
class Distillation:
    """The parts that a run's loop and checkpoints share."""

    synthetic_set: SyntheticSet
    image_sgd: ImageSGD
    objective: Objective
    step: DistillationStep
    bank: RealBank | None = None


def build_distillation(
    config: Config,
    dataset: Dataset,
    strategy: tf.distribute.Strategy,
    network: FunctionalNetwork,
    *,
    rehearsal: bool = False,
) -> Distillation:
    """Builds the parts of a distillation; DANCE's experts train here, where missing.

    Args:
        config: The run's settings.
        dataset: The real images.
        strategy: Where to compute.
        network: What is matched in, from `matched_network`.
        rehearsal: Whether nothing is to be trained or written, for a dry run.

    Returns:
        The parts; the synthetic images are at their start.

    Raises:
        InputError: settings and data do not fit (see `initial_images`).
        InterruptedRunError: a signal stopped the training of experts.
    """
    training = dataset.training
    store = ClassStore(
        training.images, training.labels, dataset.num_classes, dataset.normalisation
    )
    entry = OBJECTIVES[config.objective]
    # All that may be refused comes before networks train.
    augmentations = entry.augmentations(dsa.parse_strategy(config.dsa))
    geometry = build_geometry(config)
    bank = None
    if config.real_bank_size:
        bank = RealBank(
            config.real_bank_size,
            geometry,
            dataset.num_classes,
            network.feature_dim,
        )
    start = initial_images(
        config.init,
        store,
        config.ipc,
        config.seed,
        dataset.num_classes,
        config.formation_factor,
    )
    with strategy.scope():
        synthetic_set = SyntheticSet(
            start,
            dataset.mean,
            dataset.std,
            config.formation_factor,
            entry.unit_range,
        )
        image_sgd = ImageSGD(
            synthetic_set.images,
            config.image_lr,
            config.image_momentum,
            entry.update_per_class,
        )
    objective = entry.build(Parts(config, dataset, network, store, strategy, rehearsal))
    max_decoded = entry.max_decoded(config)
    decoded = synthetic_set.decoded_ipc
    blocks = plan_class_blocks(
        dataset.num_classes,
        strategy.num_replicas_in_sync,
        real_per_class=min(config.real_batch, int(tf.reduce_max(store.sizes))),
        synthetic_per_class=min(decoded, max_decoded) if max_decoded else decoded,
        max_images=config.max_images_per_forward
        or default_max_images(dataset.image_shape, config.width),
    )
    matching = ClassMatching(
        synthetic_set=synthetic_set,
        store=store,
        network=network,
        objective=objective,
        geometry=geometry,
        blocks=blocks,
        real_batch=config.real_batch,
        augmentations=augmentations,
        max_decoded=max_decoded,
        seed=config.seed,
        bank=bank,
    )
    step = DistillationStep(strategy, matching, image_sgd)
    return Distillation(synthetic_set, image_sgd, objective, step, bank)
