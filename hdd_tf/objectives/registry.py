"""The objectives by name; a new one is a file beside this one and a line below."""

from collections.abc import Callable

from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.objectives.base import Objective
from hdd_tf.objectives.dm import DistributionMatching

# (network, seed) -> objective.
OBJECTIVES: dict[str, Callable[[FunctionalNetwork, int], Objective]] = {
    "dm": DistributionMatching,
}
