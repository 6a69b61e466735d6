"""Distribution matching (DM): Zhao & Bilen, WACV 2023, Eq. (5)."""

import tensorflow as tf

from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.random_keys import Purpose, derive_key


class DistributionMatching:
    """Matches the features of a freshly initialised network every iteration.

    Args:
        network: The network, a function of its weights.
        seed: Seed of the run.
    """

    def __init__(self, network: FunctionalNetwork, seed: int) -> None:
        self._network = network
        self._seed = seed

    def network_weights(self, iteration: tf.Tensor) -> list[tf.Tensor]:
        """Draws the weights of an iteration's network."""
        key = derive_key(self._seed, Purpose.NETWORK, iteration)
        return self._network.initial_weights(key)

    def features(self, weights: list[tf.Tensor], images: tf.Tensor) -> tf.Tensor:
        """Returns the `[n, d]` maps before the classifier, flattened."""
        return self._network.features(weights, images)
