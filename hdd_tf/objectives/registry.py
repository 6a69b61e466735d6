"""The objectives by name; a new one is a file beside this one and an entry below."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.data.class_store import ClassStore
from hdd_tf.data.dataset import Dataset
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.pool import PoolSchedule
from hdd_tf.objectives.base import Objective
from hdd_tf.objectives.dance import DualViewAlignment
from hdd_tf.objectives.dm import DistributionMatching
from hdd_tf.objectives.idm import ImprovedDistributionMatching, PoolTraining
from hdd_tf.training.experts import Experts, ExpertShelf
from hdd_tf.training.progress import epoch_bar
from hdd_tf.training.protocols import expert_protocol


class Parts(NamedTuple):
    """What an objective may be built from.

    Attributes:
        config: The run's `Config`.
        dataset: The real images.
        network: The network that is matched in.
        store: Draws of real images.
        strategy: Where to compute.
        rehearsal: Whether networks that would be trained first stay untrained.
    """

    config: Any
    dataset: Dataset
    network: FunctionalNetwork
    store: ClassStore
    strategy: tf.distribute.Strategy
    rehearsal: bool = False


class Entry(NamedTuple):
    """An objective, and how its published program treats the images.

    Attributes:
        build: Builds it.
        augmentations: From the names of `--dsa` to what a class draws.
        max_decoded: From the run's `Config` to the most synthetic images of a class in
            a pass; 0: all.
        train_ahead: Trains and keeps, where it is missing, what `build` would train:
            of several processes one does it for all.
    """

    build: Callable[[Parts], Objective]
    augmentations: Callable[[Sequence[str]], dsa.Choice]
    max_decoded: Callable[[Any], int] = lambda config: 0
    train_ahead: Callable[[Any, Dataset, FunctionalNetwork], object] = (
        lambda config, dataset, network: None
    )


def pool_schedule(config: Any) -> PoolSchedule:
    """Returns who is in IDM's queue when, as a run's `Config` says."""
    return PoolSchedule(
        config.idm_pool_start,
        config.idm_join_every,
        config.idm_pool_size,
        config.idm_reset_every,
    )


def expert_shelf(
    config: Any, dataset: Dataset, network: FunctionalNetwork
) -> ExpertShelf:
    """Returns where DANCE's experts are kept, as a run's `Config` says."""
    return ExpertShelf(
        config.expert_dir,
        network,
        config.network_title(),
        dataset,
        expert_protocol(config.pretrain_epochs, config.pretrain_batch),
        config.expert_seed,
    )


def _one_of(names: Sequence[str]) -> dsa.Choice:
    return dsa.Choice(one_of=tuple(names))


def _build_dm(parts: Parts) -> Objective:
    return DistributionMatching(parts.network, parts.config.seed)


def _build_idm(parts: Parts) -> Objective:
    config = parts.config
    return ImprovedDistributionMatching(
        parts.network,
        parts.store,
        parts.strategy,
        config.seed,
        pool_schedule(config),
        PoolTraining(
            config.idm_train_networks,
            config.idm_train_steps,
            config.idm_train_batch,
            config.idm_train_lr,
        ),
        config.idm_cross_entropy_weight,
    )


def _build_dance(parts: Parts) -> Objective:
    config = parts.config
    shelf = expert_shelf(config, parts.dataset, parts.network)
    if parts.rehearsal:
        return DualViewAlignment(shelf.untrained(config.num_experts), config.seed)
    experts = _trained_experts(config, parts.dataset, parts.network)
    return DualViewAlignment(experts, config.seed)


def _trained_experts(
    config: Any, dataset: Dataset, network: FunctionalNetwork
) -> Experts:
    total = config.num_experts * config.pretrain_epochs
    with epoch_bar("experts", total, config.progress) as bar:
        shelf = expert_shelf(config, dataset, network)
        return shelf.take(config.num_experts, bar.update)


OBJECTIVES = {
    "dm": Entry(_build_dm, _one_of),
    "idm": Entry(_build_idm, _one_of),
    "dance": Entry(
        _build_dance,
        dsa.dance_choice,
        lambda config: config.dance_max_decoded,
        _trained_experts,
    ),
}
