"""The loss of a group of images in one network of the pool."""

import dataclasses
from typing import NamedTuple

import tensorflow as tf

from hdd_tf.networks.layer_inputs import LayerInputs
from hdd_tf.objectives.gvbsm.densification import densification
from hdd_tf.objectives.gvbsm.moving_match import MovingMatch
from hdd_tf.objectives.gvbsm.statistics import StatisticsLayout
from hdd_tf.random_keys import derive_key

# Zeros around an image before a window of its size is cut out.
PADDING = 4
# The streams of random numbers under a draw's key.
_WINDOW, _FLIP, _ROLL, _LOOKS = range(4)


@dataclasses.dataclass(frozen=True)
class Weights:
    """Factors and constants of the loss.

    Attributes:
        statistics: Factor of the statistics' distances.
        densification: Factor of the densification.
        temperature: Temperature of the densification.
        memory: Share of the old average of the statistics.
        first: Factor of the statistics of the images themselves.
        skip: Probability that a convolution is left out.
    """

    statistics: float
    densification: float
    temperature: float
    memory: float
    first: float
    skip: float


class Draws(NamedTuple):
    """What is drawn for a group in an iteration.

    Attributes:
        window: `[2]` int32, first row and column of the window in the padded images.
        flip: Scalar bool, True to mirror the images.
        roll: `[2]` int32, cyclic shift down and to the right, in pixels.
        looks: `[places]` bool, False for convolutions that are left out.
    """

    window: tf.Tensor
    flip: tf.Tensor
    roll: tf.Tensor
    looks: tf.Tensor


class GroupImages(NamedTuple):
    """The images of a group.

    Attributes:
        images: `[n, h, w, c]` float32, normalised.
        labels: `[n]` int32 class numbers.
        rows: `[classes, most]` int32 rows of each class, see `ClassRows`.
        counts: `[classes]` int32 numbers of these.
    """

    images: tf.Tensor
    labels: tf.Tensor
    rows: tf.Tensor
    counts: tf.Tensor


class Found(NamedTuple):
    """The loss of a group, in its parts.

    Attributes:
        cross_entropies: `[n]`, one an image; their mean counts.
        places: `[places]` losses of the statistics, without their factor.
        densification: Scalar, without its factor.
        total: Scalar loss.
        averages: `[S]` averages of the statistics after this look.
    """

    cross_entropies: tf.Tensor
    places: tf.Tensor
    densification: tf.Tensor
    total: tf.Tensor
    averages: tf.Tensor


class GroupLoss:
    """Cross-entropy, distance of statistics and densification of a group.

    Args:
        inputs: Reader of the network's maps.
        weights: Factors and constants.
        flips: True if images may be mirrored.
        roll: Most pixels of the cyclic shift in each direction, >= 0.

    Attributes:
        layout: Where each statistic stands in a vector.
    """

    def __init__(
        self, inputs: LayerInputs, weights: Weights, flips: bool, roll: int
    ) -> None:
        self._inputs = inputs
        self._roll = roll
        self._weights = weights
        self._flips = flips
        self.layout = StatisticsLayout(inputs.places)
        self._match = MovingMatch(
            self.layout, weights.memory, weights.first, weights.skip
        )

    def draw(self, key: tf.Tensor) -> Draws:
        """Draws the one augmentation of a group, and the convolutions looked at.

        Args:
            key: `[2]` int32 key; the draw depends on the key alone.
        """

        def two(stream: int, most: int) -> tf.Tensor:
            own = derive_key(key, stream)
            return tf.random.stateless_uniform([2], own, 0, most + 1, tf.int32)

        flip = tf.constant(False)
        if self._flips:
            flip = tf.random.stateless_uniform([], derive_key(key, _FLIP)) < 0.5
        return Draws(
            two(_WINDOW, 2 * PADDING),
            flip,
            two(_ROLL, self._roll),
            self._match.draw_looks(derive_key(key, _LOOKS)),
        )

    def __call__(
        self,
        group: GroupImages,
        draws: Draws,
        weights: list[tf.Tensor],
        state: list[tf.Tensor],
        real: tf.Tensor,
        averages: tf.Tensor,
    ) -> Found:
        """Returns the loss; its gradient by the images is what moves them.

        Args:
            group: The images.
            draws: What is drawn.
            weights: Weights of the network.
            state: State of the network.
            real: `[S]` statistics of real images.
            averages: `[S]` averages of this group's statistics.
        """
        own = self._weights
        images = augment(group.images, draws)
        seen = self._inputs(weights, images, state)
        entropies = tf.nn.sparse_softmax_cross_entropy_with_logits(
            group.labels, seen.logits
        )
        places, averages = self._match.losses(
            real, averages, self.layout.measure(seen.maps), draws.looks
        )
        dense = tf.zeros([])
        if own.densification and group.rows.shape[1] > 1:
            dense = densification(images, group.rows, group.counts, own.temperature)
        total = tf.reduce_mean(entropies) + own.statistics * tf.reduce_sum(places)
        total += own.densification * dense
        return Found(entropies, places, dense, total, averages)


def augment(images: tf.Tensor, draws: Draws) -> tf.Tensor:
    """Shifts, mirrors and rolls all images of a group alike.

    Args:
        images: `[n, h, w, c]` normalised images; 0 is the mean colour.
        draws: What is drawn.
    """
    _, height, width, _ = images.shape
    sides = [PADDING, PADDING]
    padded = tf.pad(images, [[0, 0], sides, sides, [0, 0]])
    row, column = tf.unstack(draws.window)
    shifted = padded[:, row : row + height, column : column + width]
    shifted = tf.ensure_shape(shifted, images.shape)
    turned = tf.where(draws.flip, tf.reverse(shifted, [2]), shifted)
    return tf.roll(turned, draws.roll, [1, 2])
