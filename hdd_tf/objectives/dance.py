"""DANCE: dual-view distribution alignment, Zhang et al., IJCAI 2024.

Two updates an iteration. The inner view matches features in a middle encoder, a point
between an expert's start and its end (Eq. 4-5): a network that is neither random nor
finished. The outer view calibrates: the finished expert should recognise the synthetic
images (Eq. 7).
"""

import tensorflow as tf

from hdd_tf.objectives.base import Objective, Pass
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.training.experts import Experts

_WHICH, _WHERE = 0, 1


class DualViewAlignment(Objective):
    """Matches features of middle encoders, then calibrates with whole experts.

    Args:
        experts: Trained networks with their starts.
        seed: Seed of the run.
    """

    num_passes = 2

    def __init__(self, experts: Experts, seed: int) -> None:
        super().__init__(name="dance")
        # In a tuple of its own type, which tf.Module does not track: experts are not
        # part of a run's state.
        self._experts = experts
        self._seed = seed

    def pass_of(self, iteration: tf.Tensor, index: int) -> Pass:
        """Returns the matching pass (0) or the calibration (1), with one expert."""
        key = derive_key(self._seed, Purpose.MIDDLE_ENCODER, iteration)
        expert = tf.random.stateless_uniform(
            [], derive_key(key, _WHICH), 0, self._experts.number, tf.int32
        )
        trained = [tf.gather(weights, expert) for weights in self._experts.trained]
        if index == 1:
            return Pass(trained, match_features=False, cross_entropy_weight=1.0)
        start = [tf.gather(weights, expert) for weights in self._experts.initial]
        share = tf.random.stateless_uniform([], derive_key(key, _WHERE))
        return Pass(
            [
                share * w0 + (1.0 - share) * w
                for w0, w in zip(start, trained, strict=True)
            ]
        )
