"""Attention maps of a network's blocks as vectors of images (DataDAM).

The map of an activation `[h, w, channels]` is the sum over channels of its p-th power,
flattened and scaled to length 1. A vector of an image joins the maps of several blocks
and the features: parts of very different length, which `parts.PartsDiscrepancy`
compares each by itself.
"""

from typing import Any

import tensorflow as tf

from hdd_tf.geometry.layers import widen
from hdd_tf.objectives.features import Readout


def attention(maps: tf.Tensor, power: int) -> tf.Tensor:
    """Returns the attention maps of images, each of length 1.

    Args:
        maps: `[n, h, w, c]` activations, float32 or wider.
        power: Power p of the absolute values, >= 1.

    Returns:
        `[n, h * w]` non-negative values, flattened row by row; a map of length 1e-12
        or less is divided by 1e-12. Gradients are finite, and 0 at a map of zeros.
    """
    summed = tf.reduce_sum(_power(tf.abs(maps), power), axis=-1)
    flat = tf.reshape(summed, [-1, maps.shape[1] * maps.shape[2]])
    # The square of 1e-12: it is compared with squared lengths.
    return tf.math.l2_normalize(flat, axis=-1, epsilon=1e-24)


def attention_readout(power: int) -> Readout:
    """Returns the readout of the maps of all blocks but the last, and of the features.

    Args:
        power: Power p of the absolute values, >= 1.
    """

    def read(outputs: dict[str, Any]) -> tf.Tensor:
        maps = [attention(widen(a), power) for a in outputs["activations"][:-1]]
        return tf.concat([*maps, outputs["features"]], axis=-1)

    return read


def _power(values: tf.Tensor, power: int) -> tf.Tensor:
    """Returns a power by squaring, which is faster than `tf.pow`, and right at 0."""
    if power == 1:
        return values
    squared = tf.square(_power(values, power // 2))
    return squared * values if power % 2 else squared
