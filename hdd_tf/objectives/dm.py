"""Distribution matching (DM): Zhao & Bilen, WACV 2023, Eq. (5)."""

import tensorflow as tf

from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.objectives.base import Objective, Pass
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

    def pass_of(self, iteration: tf.Tensor, index: int) -> Pass:
        """Returns the only pass: match the features of an iteration's own network."""
        key = derive_key(self._seed, Purpose.NETWORK, iteration)
        return Pass(self._network.initial_weights(key))
