"""Distribution matching (DM): Zhao & Bilen, WACV 2023, Eq. (5)."""

import tensorflow as tf

from hdd_tf.distillation.classwise import ClasswiseMatching, one_of_named
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.objective import Objective, Pass
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.objectives.features import maps_comparison
from hdd_tf.random_keys import Purpose, derive_key


class DistributionMatching(Objective):
    """Matches the features of freshly initialised networks.

    Args:
        network: The network, a function of its weights.
        seed: Seed of the run.
        iterations_per_network: Iterations that each network is used for, >= 1.
    """

    def __init__(
        self, network: FunctionalNetwork, seed: int, iterations_per_network: int = 1
    ) -> None:
        super().__init__(name="dm")
        self._network = network
        self._seed = seed
        self._iterations_per_network = iterations_per_network

    def pass_of(self, iteration: tf.Tensor, pass_index: int) -> Pass:
        """Returns the only pass, which has the weights of the iteration's network."""
        number = iteration // self._iterations_per_network
        key = derive_key(self._seed, Purpose.NETWORK, number)
        return Pass(self._network.initial_weights(key))


def fresh_networks(context: MethodContext) -> DistributionMatching:
    """Returns DM's objective with the settings of a run.

    Args:
        context: The run's settings, data, network and devices.
    """
    config = context.config
    return DistributionMatching(
        context.network, config.seed, config.iterations_per_network
    )


def build(context: MethodContext) -> ClasswiseMatching:
    """Builds DM, in the geometry of the settings.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: settings and data do not fit.
    """
    return ClasswiseMatching(
        context,
        fresh_networks(context),
        maps_comparison(context),
        one_of_named(context),
    )
