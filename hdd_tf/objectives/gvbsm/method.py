"""G-VBSM: noise becomes images by the statistics of a pool of trained networks.

No iteration looks at a real image. Groups of images are classified right by networks
that were trained before, one network an iteration, in turn, and there the statistics of
the maps approach those of the real images. Students learn stored views of the images,
each with the mean logits of the pool.

The released program moves one group after the other, and its averages of statistics
last from group to group. Here all groups move in each iteration, each with averages of
its own. So the first group of a set is as there; later ones start with averages of 0.

Sources: Shao et al., "Generalized Large-Scale Data Condensation via Various Backbone
and Statistical Matching", CVPR 2024, arXiv 2311.17950, and its program,
github.com/shaoshitong/G_VBSM_Dataset_Condensation at 1ed80b0.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.data.memory import check_room
from hdd_tf.distillation.class_loop import ClassLoop
from hdd_tf.distillation.method import IterativeMethod, Metrics, Phase
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distributed.class_blocks import plan_class_blocks
from hdd_tf.errors import InputError
from hdd_tf.objectives.gvbsm.group_loss import GroupImages
from hdd_tf.objectives.gvbsm.groups import Groups
from hdd_tf.objectives.gvbsm.image_adam import ImageAdam
from hdd_tf.objectives.gvbsm.members import members_of, teacher_of
from hdd_tf.protocols.published import PROTOCOLS
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.training.taught_sets import labels_by

BETAS = (0.5, 0.9)


class StatisticalMatching(IterativeMethod):
    """Matches statistics in several networks, in turn.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: settings and data do not fit.
    """

    def __init__(self, context: MethodContext) -> None:
        self._context = context
        config, dataset = context.config, context.dataset
        if config.formation_factor > 1:
            raise InputError(
                f"--formation_factor={config.formation_factor} is not for "
                f"--objective={config.objective}, whose labels are of views of the "
                "stored images: leave it at 1"
            )
        self._groups = Groups(dataset.num_classes, config.ipc, config.gvbsm_group)
        limit = config.max_images_per_forward
        if limit and limit < self._groups.size:
            raise InputError(
                f"--max_images_per_forward={limit} is less than a group, whose common "
                f"statistics are of {self._groups.size} images at once: leave it out, "
                f"or match the statistics of fewer images, --gvbsm_group={limit}"
            )
        self._protocol = PROTOCOLS[config.traits.evaluation](config, dataset.name, None)
        self._check_room()
        self._pool = members_of(config, dataset)
        for member in self._pool:
            member.shelf.check_room()
        self._start: tf.Tensor | None = context.initial_images()

    def train_ahead(self) -> None:
        """Trains the networks that are missing, and measures the real images in all."""
        for member in self._pool:
            member.train_ahead(self._context)

    def assemble(self) -> None:
        """Makes the images, their optimiser and the averages of the statistics."""
        context = self._context
        if self._start is None:
            raise ValueError("a method is assembled once.")
        self.synthetic_set = context.synthetic_set(self._start)
        # The variables hold the images now, and the initial images can be large.
        self._start = None
        dataset = context.dataset
        mean, std = (np.array(x, np.float32) for x in (dataset.mean, dataset.std))
        self._limits = tf.constant(-mean / std), tf.constant((1 - mean) / std)
        groups = self._groups
        with context.strategy.scope():
            self._adam = ImageAdam(self.synthetic_set.images, BETAS)
            self._averages = [
                tf.Variable(
                    tf.zeros([groups.number, member.loss.layout.size]), trainable=False
                )
                for member in self._pool
            ]
        replicas = context.strategy.num_replicas_in_sync
        # A block is a group.
        blocks = plan_class_blocks(groups.full, replicas, 1, 1, 1)
        self._loop = ClassLoop(blocks, groups.full)

    def state(self) -> Mapping[str, Any]:
        """Returns the set, the moments of its images, and the averages."""
        first, second = self._adam.moments
        return {
            "synthetic_set": self.synthetic_set,
            "first_moment": first,
            "second_moment": second,
            **{f"averages_{i}": each for i, each in enumerate(self._averages)},
        }

    def phase_of(self, iteration: int) -> Phase:
        """Returns the network of an iteration; each network has its own graph."""
        if len(self._pool) == 1:
            return Phase(0)
        return Phase(iteration % len(self._pool), iteration + 1)

    def iterate(self, iteration: tf.Tensor, phase: int) -> Metrics:
        """Moves all groups by their gradients in one network."""
        strategy = self._context.strategy
        parts = strategy.run(self._of_replica, (iteration, phase))
        losses, gradient, averages = (
            strategy.reduce("SUM", part, axis=None) for part in parts
        )
        images = self.synthetic_set.images
        gradient = tf.reshape(gradient, images.shape)
        self._adam.apply(gradient, self._rate(iteration), iteration, self._limits)
        self._averages[phase].assign(averages)
        per_class = tf.reshape(losses, images.shape[:2])
        return {
            "loss_per_class": tf.reduce_sum(per_class, axis=1),
            "gradient_norm": tf.norm(gradient),
        }

    def finite_classes(self) -> tf.Tensor:
        """Returns `[C]` bool, True for classes of finite images and moments."""
        return self._adam.finite_classes()

    def result(self, metadata: Mapping[str, Any]) -> DistilledSet:
        """Returns the 8-bit images with their views, labels and teacher.

        Args:
            metadata: Metadata of the run's sets.
        """
        config, dataset = self._context.config, self._context.dataset
        made = self.synthetic_set.distilled(metadata)
        # As the program stores them, and labels and learns them afterwards.
        images = np.trunc(np.clip(made.images, 0.0, 255.0))
        teacher = teacher_of(self._pool, config, dataset)
        labels = labels_by(
            teacher, images, self._protocol, dataset.normalisation, config
        )
        return dataclasses.replace(
            made, images=images, teacher=teacher, epoch_labels=labels
        )

    def _check_room(self) -> None:
        """Raises InputError if memory does not hold the labels of all views."""
        config, classes = self._context.config, self._context.dataset.num_classes
        epochs = self._protocol.epochs
        logits = epochs * config.ipc * classes * classes
        # In float16, and once more where networks learn them.
        check_room(
            f"soft labels of {epochs:,} epochs, {logits:,} logits: holding them",
            2 * logits * (2 if config.num_eval else 1),
            "give fewer --eval_epochs, or a smaller --ipc",
        )

    def _rate(self, iteration: tf.Tensor) -> tf.Tensor:
        config = self._context.config
        period = config.image_lr_period
        share = tf.cast(tf.minimum(iteration, period), tf.float32) / period
        return config.image_lr * (1.0 + tf.cos(math.pi * share)) / 2.0

    def _of_replica(
        self, iteration: tf.Tensor, phase: int
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns losses, gradients and averages, zero for groups of other replicas.

        Returns:
            `[n]` losses of the images, which sum to those of the groups; `[n, h, w, c]`
            gradients; `[groups, S]` averages.
        """
        images = tf.convert_to_tensor(self.synthetic_set.images)
        averages = tf.convert_to_tensor(self._averages[phase])

        def of_block(numbers: tf.Tensor) -> tuple[tf.Tensor, ...]:
            group = numbers[0]
            found = self._of_group(
                self._groups.take(images, group), averages[group], iteration, group,
                phase,
            )  # fmt: skip
            return tuple(part[None] for part in found)

        losses, gradients, moved = self._loop.scatter(of_block, (tf.float32,) * 3)
        losses, gradients = (
            tf.reshape(part, [-1, *part.shape[2:]]) for part in (losses, gradients)
        )
        if self._groups.rest:
            group = tf.constant(self._groups.full)
            last = self._of_group(
                self._groups.last(images), averages[-1], iteration, group, phase
            )
            # Every replica computes it, at the same time; the first one's counts.
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            counts = tf.cast(tf.equal(replica, 0), tf.float32)
            rest = [counts * part for part in last]
            losses = tf.concat([losses, rest[0]], axis=0)
            gradients = tf.concat([gradients, rest[1]], axis=0)
            moved = tf.concat([moved, rest[2][None]], axis=0)
        return losses, gradients, moved

    def _of_group(
        self,
        group: GroupImages,
        averages: tf.Tensor,
        iteration: tf.Tensor,
        number: tf.Tensor,
        phase: int,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the losses `[n]`, the gradient and the averages of a group."""
        member = self._pool[phase]
        assert member.experts is not None and member.real is not None
        key = derive_key(
            self._context.config.seed, Purpose.AUGMENTATION, iteration, number
        )
        draws = member.loss.draw(key)
        weights = [weight[0] for weight in member.experts.trained]
        state = [values[0] for values in member.experts.state]
        with tf.GradientTape() as tape:
            tape.watch(group.images)
            found = member.loss(group, draws, weights, state, member.real, averages)
        gradient = tape.gradient(found.total, group.images)
        own = found.cross_entropies - tf.reduce_mean(found.cross_entropies)
        return (own + found.total) / own.shape[0], gradient, found.averages


def build(context: MethodContext) -> StatisticalMatching:
    """Builds G-VBSM.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: settings and data do not fit.
    """
    return StatisticalMatching(context)
