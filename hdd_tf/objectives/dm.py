"""Distribution matching (DM): Zhao & Bilen, WACV 2023, Eq. (5)."""

import tensorflow as tf

from hdd_tf.distillation.classwise import ClasswiseMatching, one_of_named
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.objective import Objective, Pass
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.objectives.features import geometry_comparison
from hdd_tf.random_keys import Purpose, derive_key


class DistributionMatching(Objective):
    """Matches the features of a freshly initialised network every iteration.

    Args:
        network: The network, a function of its weights.
        seed: Seed of the run.
    """

    def __init__(self, network: FunctionalNetwork, seed: int) -> None:
        super().__init__(name="dm")
        self._network = network
        self._seed = seed

    def pass_of(self, iteration: tf.Tensor, pass_index: int) -> Pass:
        """Returns the only pass, which has the weights of the iteration's network."""
        key = derive_key(self._seed, Purpose.NETWORK, iteration)
        return Pass(self._network.initial_weights(key))


def build(context: MethodContext) -> ClasswiseMatching:
    """Builds DM, in the geometry of the settings.

    Args:
        context: The run's settings, data, network and devices.

    Raises:
        InputError: settings and data do not fit.
    """
    return ClasswiseMatching(
        context,
        DistributionMatching(context.network, context.config.seed),
        geometry_comparison(context),
        one_of_named(context),
    )
