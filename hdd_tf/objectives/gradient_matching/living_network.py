"""A network that trains on the synthetic set between the updates of its images.

A network lives for a number of updates. Between two of them it trains for some epochs
on the synthetic images as they are then. With one update a life it never trains, and
every iteration has a fresh network.

Source: Zhao et al., "Dataset Condensation with Gradient Matching", ICLR 2021; its
released program does not train after the last update of a life.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.objective import Objective, Pass
from hdd_tf.distillation.synthetic_set import SyntheticSet
from hdd_tf.distributed.first_replica import by_first_replica
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.training.inner_training import (
    InnerSchedule,
    InnerTraining,
)


class LivingNetwork(Objective):
    """Compares in a network that trains on the synthetic set.

    The weights are plain variables, not mirrored: every process keeps one copy.

    Args:
        network: The network, a function of its weights.
        training: Training of the network between two updates; None if it never trains.
        updates: Updates of the images in a network's life, >= 1.
        strategy: Strategy, one replica of which trains the network for all.
        seed: Seed of the run.
    """

    def __init__(
        self,
        network: FunctionalNetwork,
        training: InnerTraining | None,
        updates: int,
        strategy: tf.distribute.Strategy,
        seed: int,
    ) -> None:
        super().__init__(name="living_network")
        self._network = network
        self._training = training if updates > 1 else None
        self._updates = updates
        self._strategy = strategy
        self._seed = seed
        # A network that lives for one update is drawn where it is needed.
        shapes = network.weight_shapes if updates > 1 else []
        self._weights = [tf.Variable(tf.zeros(s), trainable=False) for s in shapes]
        # A function, which tf.Module does not track: the method saves the set.
        self._synthetic_set: Callable[[], SyntheticSet] | None = None

    def attach(self, synthetic_set: SyntheticSet) -> None:
        """Keeps the synthetic set, whose images the network trains on."""
        self._synthetic_set = lambda: synthetic_set

    def prepare(self, iteration: tf.Tensor) -> None:
        """Begins the life of a fresh network, if one is due."""
        if self._weights:
            self._replace_weights(
                tf.equal(iteration % self._updates, 0),
                lambda: self._fresh(iteration // self._updates),
            )

    def pass_of(self, iteration: tf.Tensor, pass_index: int) -> Pass:
        """Returns the only pass, with the network's present weights."""
        if not self._weights:
            return Pass(self._fresh(iteration))
        return Pass([tf.convert_to_tensor(weight) for weight in self._weights])

    def conclude(self, iteration: tf.Tensor) -> None:
        """Trains the network, unless its life ends."""
        training = self._training
        if training is not None:
            self._replace_weights(
                self.trains_after(iteration),
                lambda: self._train_for_all(training, iteration),
            )

    def trains_after(self, iteration: Any) -> Any:
        """Returns whether the network trains after an iteration, a number or tensor."""
        if self._training is None:
            return False
        return iteration % self._updates < self._updates - 1

    def kind_of(self, iteration: int) -> Any:
        """Returns whether the network trains after an iteration; see `Objective`."""
        return self.trains_after(iteration)

    def _fresh(self, number: tf.Tensor) -> list[tf.Tensor]:
        """Returns the weights of the network of a life at its start."""
        return self._network.initial_weights(
            derive_key(self._seed, Purpose.NETWORK, number)
        )

    def _replace_weights(
        self, where: tf.Tensor, new_weights: Callable[[], list[tf.Tensor]]
    ) -> None:
        """Writes new weights where a scalar bool is True."""

        def write() -> tf.Tensor:
            for variable, value in zip(self._weights, new_weights(), strict=True):
                variable.assign(value)
            return where

        tf.cond(where, write, lambda: where)

    def _train_for_all(
        self, training: InnerTraining, iteration: tf.Tensor
    ) -> list[tf.Tensor]:
        """Returns the trained weights, in which all replicas and processes agree."""
        return by_first_replica(
            self._strategy,
            lambda weights: self._trained(training, weights, iteration),
            [tf.convert_to_tensor(weight) for weight in self._weights],
        )

    def _trained(
        self, training: InnerTraining, weights: list[tf.Tensor], iteration: tf.Tensor
    ) -> list[tf.Tensor]:
        if self._synthetic_set is None:
            raise ValueError("`attach` comes before the first training.")
        return training.train(
            weights,
            *self._synthetic_set().training_images(),
            derive_key(self._seed, Purpose.INNER_TRAINING, iteration),
        )


def living_network(context: MethodContext) -> LivingNetwork:
    """Returns the living network of a run's settings.

    It trains in the precision of the settings. The gradients that are compared are
    float32, with either.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: a transformation of `--dsa` is unknown.
    """
    config = context.config
    schedule = InnerSchedule(
        config.dc_epochs,
        config.dc_batch,
        config.dc_lr,
        tuple(dsa.parse_strategy(config.dsa)),
    )
    training = InnerTraining(context.fast_network, schedule, context.piece)
    return LivingNetwork(
        context.network,
        training if config.dc_epochs else None,
        config.dc_updates,
        context.strategy,
        config.seed,
    )
