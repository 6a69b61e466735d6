"""The distance of moving averages of statistics from the statistics of real images."""

import tensorflow as tf

from hdd_tf.objectives.gvbsm.statistics import StatisticsLayout


class MovingMatch:
    """Compares statistics, averaged over the looks, with real ones.

    A look moves the average A of a place's statistics s to `memory A + (1 - memory) s`.
    The averages start at 0 and are not corrected for that. The loss of a place is the
    sum over its statistics of |real - A|_2. Its gradient is taken as if A were s plus a
    constant, so that it is not (1 - memory) times as large.

    A convolution that is left out of a look has no loss, and its averages stay.

    Args:
        layout: Where each statistic stands in a vector.
        memory: Share of the old average, in [0, 1).
        first_weight: Factor of the loss of convolutions of the images themselves.
        skip: Probability that a convolution is left out, in [0, 1).
    """

    def __init__(
        self,
        layout: StatisticsLayout,
        memory: float,
        first_weight: float,
        skip: float,
    ) -> None:
        self._layout = layout
        self._memory = memory
        self._first_weight = first_weight
        self._skip = skip

    def draw_looks(self, key: tf.Tensor) -> tf.Tensor:
        """Draws `[places]` booleans, False for convolutions that are left out.

        Args:
            key: `[2]` int32 key; the draw depends on the key alone.
        """
        is_convolution = self._layout.is_convolution
        drawn = tf.random.stateless_uniform([len(is_convolution)], key)
        return (drawn >= self._skip) | ~tf.constant(is_convolution)

    def losses(
        self,
        real: tf.Tensor,
        averages: tf.Tensor,
        statistics: tf.Tensor,
        looks: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the losses of a look, and the averages after it.

        Args:
            real: `[S]` statistics of real images.
            averages: `[S]` averages of earlier looks.
            statistics: `[S]` statistics of the synthetic images.
            looks: `[places]` bool, False for places that are left out.

        Returns:
            `[places]` losses, and `[S]` averages.
        """
        layout, memory = self._layout, self._memory
        now = tf.stop_gradient(statistics)
        looked = tf.gather(looks, layout.place_of_part)
        moved = memory * averages + (1.0 - memory) * now
        averages = tf.where(tf.gather(looked, layout.part_of_value), moved, averages)
        difference = real - (averages + (statistics - now))
        squares = tf.math.segment_sum(difference**2, layout.part_of_value)
        # The root has no finite gradient at 0, where the norm's is 0.
        is_apart = looked & (squares > 0)
        norms = tf.where(is_apart, tf.sqrt(tf.where(is_apart, squares, 1.0)), 0.0)
        losses = tf.math.segment_sum(norms, layout.place_of_part)
        weights = tf.where(layout.takes_images, self._first_weight, 1.0)
        return losses * tf.cast(weights, losses.dtype), averages
