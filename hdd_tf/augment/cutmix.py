"""CutMix: a rectangle of each image is replaced by that of another image.

Source: Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with
Localizable Features", ICCV 2019. The rectangle is drawn as in its released program,
and as in the programs of IDC and DANCE.
"""

from typing import NamedTuple

import tensorflow as tf

from hdd_tf.random_keys import derive_key

# The streams of random numbers under a draw's key.
_SWITCH, _SHARE, _PLACE, _PARTNER = range(4)


class Mixed(NamedTuple):
    """A batch after CutMix.

    The loss of image i is `share * l(labels[i]) + (1 - share) * l(labels[partner[i]])`.

    Attributes:
        images: `[n, h, w, c]` mixed images.
        partner: `[n]` int32, the batch position of the image that each rectangle comes
            from.
        share: Scalar float32 in [0, 1], the part of every image that is its own; 1 if
            the batch is not mixed.
    """

    images: tf.Tensor
    partner: tf.Tensor
    share: tf.Tensor


def mix(images: tf.Tensor, key: tf.Tensor, probability: float) -> Mixed:
    """Mixes a batch with one rectangle for all images, or leaves the batch unchanged.

    Before the rectangle is clipped to the image, its area is 1 - lambda of the image's
    area, with lambda drawn from Beta(1, 1).

    Args:
        images: `[n, h, w, c]` float tensor.
        key: `[2]` int32 key; the draw depends on the key alone.
        probability: Probability that the batch is mixed, in [0, 1].

    Returns:
        The batch, its partners and its share.
    """
    count, height, width = tf.unstack(tf.shape(images)[:3])
    return paste(images, *draw(key, count, height, width, probability))


def draw(
    key: tf.Tensor,
    count: int | tf.Tensor,
    height: int | tf.Tensor,
    width: int | tf.Tensor,
    probability: float,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws the partners and the rectangle of a batch, see `mix`.

    Args:
        key: `[2]` int32 key; the draw depends on the key alone.
        count: Number of images.
        height: Rows of the images.
        width: Columns of the images.
        probability: Probability that the batch is mixed, in [0, 1].

    Returns:
        `[count]` int32 partners, and the `[4]` int32 box; see `paste`.
    """

    def uniform(stream: int, *shape: int) -> tf.Tensor:
        return tf.random.stateless_uniform(shape, derive_key(key, stream))

    on = uniform(_SWITCH) < probability
    side = tf.sqrt(1.0 - uniform(_SHARE))
    place = uniform(_PLACE, 2)
    top, bottom = _span(place[0], side, height)
    left, right = _span(place[1], side, width)
    box = tf.where(on, tf.stack([top, left, bottom, right]), 0)
    partner = tf.random.experimental.stateless_shuffle(
        tf.range(count), derive_key(key, _PARTNER)
    )
    return partner, box


def paste(images: tf.Tensor, partner: tf.Tensor, box: tf.Tensor) -> Mixed:
    """Replaces a rectangle of each image by that of its partner.

    Args:
        images: `[n, h, w, c]` float tensor.
        partner: `[n]` int32 positions within the batch.
        box: `[4]` int32: first row, first column, row after the last and column after
            the last. An empty box leaves the images unchanged.

    Returns:
        The batch, its partners and its share.
    """
    top, left, bottom, right = tf.unstack(box)
    _, height, width = tf.unstack(tf.shape(images)[:3])
    row, column = tf.range(height)[:, None], tf.range(width)
    inside = (row >= top) & (row < bottom) & (column >= left) & (column < right)
    mixed = tf.where(inside[:, :, None], tf.gather(images, partner), images)
    return Mixed(mixed, partner, 1.0 - tf.reduce_mean(tf.cast(inside, tf.float32)))


def _span(
    place: tf.Tensor, side: tf.Tensor, length: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the first row (or column) of the rectangle and the one after its last."""
    whole = tf.cast(length, tf.float32)
    half = tf.cast(whole * side, tf.int32) // 2
    centre = tf.cast(place * whole, tf.int32)
    return tf.maximum(centre - half, 0), tf.minimum(centre + half, length)
