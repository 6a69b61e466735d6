"""All weights of a network as one vector, and back."""

import math
from collections.abc import Sequence

import tensorflow as tf


class FlatWeights:
    """The order and the shapes of a network's weights in one vector.

    Args:
        shapes: Shape of each weight.

    Attributes:
        size: Number of values P of all weights.
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]]) -> None:
        self._shapes = list(shapes)
        self._sizes = [math.prod(shape) for shape in shapes]
        self.size = sum(self._sizes)

    def join(self, weights: Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns the vector `[P]` of weights of these shapes."""
        return tf.concat([tf.reshape(weight, [-1]) for weight in weights], axis=0)

    def split(self, vector: tf.Tensor) -> list[tf.Tensor]:
        """Returns the weights of a vector `[P]`."""
        parts = tf.split(vector, self._sizes)
        return [
            tf.reshape(part, shape)
            for part, shape in zip(parts, self._shapes, strict=True)
        ]
