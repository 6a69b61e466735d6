"""Improved distribution matching (IDM): Zhao et al., CVPR 2023.

Features are matched in a network picked from a pool of semi-trained networks. That
network should also recognise the synthetic images: Eq. (6) weights their cross-entropy
by the network's accuracy. Then two networks of the pool train a little on real images,
so that the pool holds networks of many ages.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from hdd_tf.data.class_store import ClassStore
from hdd_tf.distillation.classwise import ClasswiseMatching, one_of_named
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.objective import Objective, Pass
from hdd_tf.distributed.compilation import Piece, as_it_is
from hdd_tf.distributed.replica_sums import sum_over_replicas
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.pool import NetworkPool, PoolSchedule
from hdd_tf.objectives.features import maps_comparison
from hdd_tf.protocols.sgd import classification_step
from hdd_tf.random_keys import Purpose, derive_key


@dataclasses.dataclass(frozen=True)
class PoolTraining:
    """Hyper-parameters of the training of the pool's networks, by SGD.

    Attributes:
        networks: Number of networks that train after an iteration, at most the pool's
            start + 1.
        steps: Number of updates of each network.
        batch_size: Number of real images of an update.
        learning_rate: Learning rate, positive.
        momentum: Momentum, in [0, 1).
        weight_decay: L2 weight decay, >= 0.
    """

    networks: int = 2
    steps: int = 10
    batch_size: int = 256
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4


class ImprovedDistributionMatching(Objective):
    """Matches features of a pool's networks, with accuracy-weighted cross-entropy.

    Args:
        network: The network, a function of its weights.
        store: The real images that the pool's networks train on.
        strategy: Strategy whose replicas train different networks of the pool.
        seed: Seed of the run.
        schedule: When networks join and leave the pool.
        training: Hyper-parameters of the training of the pool's networks.
        cross_entropy_weight: Factor w; the weight of the cross-entropy is w times the
            network's accuracy in percent.
        piece: Function that runs a piece of the graph, compiled or not.

    Attributes:
        pool: The pool of networks.
    """

    def __init__(
        self,
        network: FunctionalNetwork,
        store: ClassStore,
        strategy: tf.distribute.Strategy,
        seed: int,
        schedule: PoolSchedule,
        training: PoolTraining,
        cross_entropy_weight: float,
        piece: Piece = as_it_is,
    ) -> None:
        super().__init__(name="idm")
        self.pool = NetworkPool(network, schedule, seed)
        self._network = network
        self._store = store
        self._strategy = strategy
        self._seed = seed
        self._training = training
        self._cross_entropy_weight = cross_entropy_weight
        self._piece = piece

    def prepare(self, iteration: tf.Tensor) -> None:
        """Adds the fresh network of an iteration to the pool, if one is due."""
        self.pool.admit_newcomer(iteration)

    def pass_of(self, iteration: tf.Tensor, pass_index: int) -> Pass:
        """Returns the only pass, which has the weights of a network of the pool."""
        key = derive_key(self._seed, Purpose.POOL_MATCHED, iteration)
        row = self.pool.pick(iteration, 1, key)[0]
        weight = self._cross_entropy_weight * self.pool.running_accuracy(row)
        return Pass(self.pool.weights(row), True, weight)

    def conclude(self, iteration: tf.Tensor) -> None:
        """Trains networks of the pool."""
        count = self._training.networks
        key = derive_key(self._seed, Purpose.POOL_TRAINED, iteration)
        rows, following = self.pool.pick(iteration, count, key), None
        if self._store.lies_on_disk:
            next_key = derive_key(self._seed, Purpose.POOL_TRAINED, iteration + 1)
            following = self.pool.pick(iteration + 1, count, next_key)

        def train(index: int) -> tuple:
            key = self._batch_key(iteration, rows[index])
            next_key = None
            if following is not None:
                next_key = self._batch_key(iteration + 1, following[index])
            return self._train(rows[index], key, next_key, f"batches {index}")

        def train_own() -> list[tuple]:
            """Trains this replica's networks; returns zeros for the others."""
            context = tf.distribute.get_replica_context()
            replica = context.replica_id_in_sync_group
            return [
                tf.cond(
                    tf.equal(replica, index % context.num_replicas_in_sync),
                    lambda index=index: train(index),
                    lambda index=index: tf.nest.map_structure(
                        tf.zeros_like, self._state(rows[index])
                    ),
                )
                for index in range(count)
            ]

        trained = self._strategy.run(train_own)
        # All replicas but one return zeros for a network, so the sum is its weights.
        trained = sum_over_replicas(self._strategy, trained)
        seen = float(self._training.steps * self._training.batch_size)
        for index, (weights, velocities, correct) in enumerate(trained):
            self.pool.put(rows[index], weights, velocities, correct, seen)

    def _state(self, row: tf.Tensor) -> tuple:
        """Returns a network's weights and velocities, and a count of 0 correct images.

        The structure is that of `_train`'s result.
        """
        return self.pool.weights(row), self.pool.velocities(row), tf.constant(0.0)

    def _batch_key(self, iteration: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
        """Returns the key of the images that a network trains on."""
        return derive_key(self._seed, Purpose.POOL_BATCH, iteration, row)

    def _train(
        self, row: tf.Tensor, key: tf.Tensor, next_key: tf.Tensor | None, stream: str
    ) -> tuple:
        """Returns weights, velocities and the number of correct images, after training.

        Images count with the classification before their update.

        Args:
            row: Row of the network.
            key: Key of the draw of its batches.
            next_key: Key of the draw that is asked for from the disk meanwhile; None
                for none.
            stream: Name of these draws.
        """
        training = self._training
        batches, labels = self._store.draw_batches(
            key, training.steps, training.batch_size, next_key, stream
        )

        def update(step: tf.Tensor, state: tuple) -> tuple:
            weights, velocities, correct = state
            images, classes = self._store.gather(batches[step]), labels[step]
            weights, velocities, logits = self._piece(
                lambda: classification_step(
                    self._network,
                    weights,
                    velocities,
                    images,
                    classes,
                    training.learning_rate,
                    training.momentum,
                    training.weight_decay,
                )
            )
            hits = tf.argmax(logits, -1, tf.int32) == classes
            hits = tf.reduce_sum(tf.cast(hits, tf.float32))
            return step + 1, (weights, velocities, correct + hits)

        _, state = tf.while_loop(
            lambda step, state: step < training.steps,
            update,
            (tf.constant(0), self._state(row)),
        )
        return state


def pool_schedule(config: Any) -> PoolSchedule:
    """Returns the schedule of the pool in a run's `Config`."""
    return PoolSchedule(
        config.idm_pool_start,
        config.idm_join_every,
        config.idm_pool_size,
        config.idm_reset_every,
    )


def pool_objective(
    context: MethodContext,
    kind: Callable[..., ImprovedDistributionMatching] = ImprovedDistributionMatching,
    **more: Any,
) -> ImprovedDistributionMatching:
    """Returns IDM's objective, or one that is made from it.

    Args:
        context: The run's settings, data, network and devices.
        kind: Class of the objective.
        **more: Further keyword arguments of `kind`.
    """
    config = context.config
    return kind(
        context.fast_network,
        context.store,
        context.strategy,
        config.seed,
        pool_schedule(config),
        PoolTraining(
            config.idm_train_networks,
            config.idm_train_steps,
            config.idm_train_batch,
            config.idm_train_lr,
        ),
        config.idm_cross_entropy_weight,
        context.piece,
        **more,
    )


def build(context: MethodContext) -> ClasswiseMatching:
    """Builds IDM, in the geometry of the settings.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: settings and data do not fit.
    """
    return ClasswiseMatching(
        context,
        pool_objective(context),
        maps_comparison(context),
        one_of_named(context),
    )
