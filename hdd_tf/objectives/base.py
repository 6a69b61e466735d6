"""What the distillation step asks of an objective."""

from typing import Protocol

import tensorflow as tf


class Objective(Protocol):
    """Says which network an iteration matches in, and which of its features.

    The step (distillation/step.py) owns everything else: batches, augmentation, the
    geometry's loss, gradients and the update.
    """

    def network_weights(self, iteration: tf.Tensor) -> list[tf.Tensor]:
        """Returns the weights of the network of an iteration.

        Args:
            iteration: Scalar integer tensor.

        Returns:
            Weight tensors, a pure function of the run's seed and `iteration`, so that
            every replica and every resumed run has the same network.
        """

    def features(self, weights: list[tf.Tensor], images: tf.Tensor) -> tf.Tensor:
        """Returns the `[n, d]` features to match of `[n, h, w, c]` images."""
