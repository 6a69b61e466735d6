"""Attention maps of a network's blocks as vectors of images (DataDAM).

The map of an activation `[h, w, channels]` is the sum over channels of its p-th power,
flattened and scaled to length 1. A vector of an image joins the maps of several blocks
and the features: parts of very different length, which `PartsDiscrepancy` compares
each by itself.
"""

from collections.abc import Sequence
from typing import Any, cast

import tensorflow as tf

from hdd_tf.distillation.comparison import Merging
from hdd_tf.geometry.layers import widen
from hdd_tf.objectives.features import Discrepancy, Readout


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


class PartsDiscrepancy:
    """The weighted sum of discrepancies of the parts of vectors; see `Discrepancy`.

    Args:
        sizes: Lengths of all parts but the last, which has what is left.
        discrepancies: Discrepancy of each part.
        weights: Weight of each part.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        discrepancies: Sequence[Discrepancy],
        weights: Sequence[float],
    ) -> None:
        self.merges = all(part.merges for part in discrepancies)
        self._sizes = [*sizes, -1]
        self._discrepancies = discrepancies
        self._weights = weights

    def summarize(self, features: tf.Tensor, weights: tf.Tensor | None = None) -> Any:
        """Returns the summaries of the parts of vectors `[c, n, d]`."""
        return tuple(
            part.summarize(vectors, weights)
            for part, vectors in zip(
                self._discrepancies, self._split(features), strict=True
            )
        )

    def merge(self, parts: Any) -> Any:
        """Returns the summaries of the union of parts, stacked to `[p, c, ...]`."""
        return tuple(
            cast(Merging, part).merge(summaries)
            for part, summaries in zip(self._discrepancies, parts, strict=True)
        )

    def loss(self, real: Any, synthetic_features: tf.Tensor) -> tf.Tensor:
        """Returns the losses `[c]` of vectors `[c, m, d]`."""
        losses = [
            weight * part.loss(summary, vectors)
            for weight, part, summary, vectors in zip(
                self._weights,
                self._discrepancies,
                real,
                self._split(synthetic_features),
                strict=True,
            )
        ]
        return tf.add_n(losses)

    def _split(self, features: tf.Tensor) -> list[tf.Tensor]:
        return tf.split(features, self._sizes, axis=-1)


def _power(values: tf.Tensor, power: int) -> tf.Tensor:
    """Returns a power by squaring, which is faster than `tf.pow`, and right at 0."""
    if power == 1:
        return values
    squared = tf.square(_power(values, power // 2))
    return squared * values if power % 2 else squared
