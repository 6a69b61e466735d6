"""The members of the pool: networks, each with its loss and real statistics."""

import dataclasses
from typing import Any

import tensorflow as tf

from hdd_tf.data.dataset import Dataset
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.errors import InputError
from hdd_tf.networks.layer_inputs import LayerInputs
from hdd_tf.networks.options import options_of
from hdd_tf.networks.teacher import Teacher, TeacherNetwork
from hdd_tf.objectives.gvbsm.group_loss import GroupLoss, Weights
from hdd_tf.objectives.gvbsm.pool import flips, pool_networks
from hdd_tf.objectives.gvbsm.real_statistics import real_statistics
from hdd_tf.training.experts import Experts
from hdd_tf.training.shelf import Shelf
from hdd_tf.training.teachers import teacher_of_experts


@dataclasses.dataclass(eq=False)
class Member:
    """A network of the pool.

    Attributes:
        shelf: Where it is kept.
        inputs: Reader of its maps.
        loss: Loss of a group in it.
        experts: The trained network, after `train_ahead`.
        real: `[S]` statistics of the real images in it, after `train_ahead`.
    """

    shelf: Shelf
    inputs: LayerInputs
    loss: GroupLoss
    experts: Experts | None = None
    real: tf.Tensor | None = None

    def train_ahead(self, context: MethodContext) -> None:
        """Trains the network if it is missing, and measures the real images in it.

        Args:
            context: The run's settings and data. In a dry run the network stays
                untrained, and the statistics are zeros.

        Raises:
            InputError: a file of the network or of its statistics is damaged.
            InterruptedRunError: a signal came.
        """
        config = context.config
        if self.experts is not None:
            return
        self.experts = self.shelf.take(
            dry_run=context.dry_run, progress=config.progress
        )
        if context.dry_run:
            self.real = tf.zeros([self.loss.layout.size])
            return
        self.real = real_statistics(
            self.inputs,
            self.loss.layout,
            self.experts,
            self.shelf.buffer,
            context.dataset,
            config.expert_seed,
            config.progress,
        )


def members_of(config: Any, dataset: Dataset) -> list[Member]:
    """Returns the members of a run's pool, in the order of iterations.

    Args:
        config: The run's `Config`.
        dataset: Data set that is distilled.

    Raises:
        InputError: a network does not support the images or the options, or its maps
            cannot be read.
    """
    weights = Weights(
        config.gvbsm_statistics_weight,
        config.gvbsm_density_weight,
        config.gvbsm_density_temperature,
        config.gvbsm_memory,
        config.gvbsm_first_weight,
        config.gvbsm_skip,
    )
    found = []
    for network, shelf in pool_networks(config, dataset):
        try:
            inputs = LayerInputs(network)
        except InputError as error:
            raise InputError(f"--gvbsm_pool={shelf.network_name}: {error}") from error
        loss = GroupLoss(inputs, weights, flips(dataset), config.gvbsm_roll)
        found.append(Member(shelf, inputs, loss))
    return found


def teacher_of(members: list[Member], config: Any, dataset: Dataset) -> Teacher:
    """Returns all members as one teacher, whose labels are their mean logits.

    Args:
        members: The members, after `train_ahead`.
        config: The run's `Config`.
        dataset: Data set that is distilled.
    """
    networks: list[TeacherNetwork] = []
    for member in members:
        assert member.experts is not None
        networks += teacher_of_experts(
            member.experts,
            member.shelf.network_name,
            options_of(config),
            dataset.image_shape,
            dataset.num_classes,
        ).networks
    return Teacher(tuple(networks), dataset.image_shape, dataset.num_classes)
