"""CAFE's accuracy watchers, which decide when a network has learnt enough.

A watcher keeps the last ten of the values a_j = accuracy_j + a_(j-1) / C, with C
classes. The program divides its running sum by C after each test and never resets it;
its thresholds hold for these values, so the leak is part of the method.
"""

from typing import NamedTuple

import tensorflow as tf

# Number of values, whatever the number of classes.
LENGTH = 10


class Watcher(NamedTuple):
    """The state of a watcher.

    Attributes:
        values: `[LENGTH]` float32 values, the newest at the end.
        count: Number of values noted so far, scalar int32.
    """

    values: tf.Tensor
    count: tf.Tensor

    def note(self, accuracy: tf.Tensor, num_classes: int) -> "Watcher":
        """Returns the watcher after a further test.

        Args:
            accuracy: Mean of the classes' accuracies in [0, 1], scalar float32.
            num_classes: Number of classes C.
        """
        value = accuracy + self.values[-1] / num_classes
        values = tf.concat([self.values[1:], value[None]], axis=0)
        return Watcher(values, self.count + 1)

    def has_settled(self, spread: float) -> tf.Tensor:
        """Returns whether the values are complete and differ by less than `spread`."""
        return (self.count >= LENGTH) & (self._spread() < spread)

    def has_moved(self, spread: float) -> tf.Tensor:
        """Returns whether the values are complete and differ by more than `spread`."""
        return (self.count >= LENGTH) & (self._spread() > spread)

    def _spread(self) -> tf.Tensor:
        return tf.reduce_max(self.values) - tf.reduce_min(self.values)


def empty_watcher() -> Watcher:
    """Returns a watcher without values."""
    return Watcher(tf.zeros([LENGTH]), tf.constant(0))
