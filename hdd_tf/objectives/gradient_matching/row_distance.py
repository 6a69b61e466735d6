"""Distances of two gradients of a network's weights, unit by unit.

A row is the gradient of all weights that lead to one output unit. Rows are compared by
the angle between them: their length says how far training has come, not where it goes.
Weights with one dimension (biases, scales and shifts of norms) are not compared.

Source: Zhao et al., "Dataset Condensation with Gradient Matching", ICLR 2021, with the
constants of its released program (VICO-UoE/DatasetCondensation, commit 53f63a6).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

# Added to the product of two rows' norms. As a network fits the synthetic images the
# products fall to this size, so another number, or one added elsewhere, is another
# method.
EPSILON = 1e-6

# (real rows, synthetic rows), each `[..., entries, rows]`, to distances `[..., rows]`.
RowDistance = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def has_rows(shape: Sequence[int]) -> bool:
    """Returns whether a weight of a shape has rows that are compared."""
    return len(shape) > 1


def angle_distance(real: tf.Tensor, synthetic: tf.Tensor) -> tf.Tensor:
    """Returns one minus the cosine between rows; 1 if a row is zero.

    The gradient is finite everywhere. Norms have the gradient 0 at rows of zeros.

    Args:
        real: `[entries, rows]` float tensor.
        synthetic: Likewise.

    Returns:
        `[rows]` distances in [0, 2].
    """
    product = tf.reduce_sum(real * synthetic, axis=-2)
    return 1.0 - product / (_norms(real) * _norms(synthetic) + EPSILON)


def geodesic_distance(
    row_radius: float, curvature: float = -1.0, weight: float = 1.0
) -> RowDistance:
    """Returns the distance of rows that lie on a sphere of hyperbolic space.

    Each row is put at the hyperbolic radius R from the origin, in its own direction.
    Two points of that sphere at an angle t have the distance

        d = 2 asinh(sinh(R) sin(t / 2)) / s,   s = sqrt(-K).

    A small R gives R times the chord, sqrt(2 (1 - cos t)); a large one the logarithm of
    1 - cos t, which pulls most at rows that nearly agree. The cosine is that of
    `angle_distance`, with its epsilon.

    Args:
        row_radius: R, positive and at most 80.
        curvature: K < 0.
        weight: Factor of the distance.

    Raises:
        ValueError: an option is out of its range.
    """
    if not 0 < row_radius <= 80 or not curvature < 0:
        raise ValueError(
            "The radius of rows must be above 0 and at most 80, and the curvature "
            f"negative. Received: {row_radius} and {curvature}."
        )
    factor = 2.0 * weight / math.sqrt(-curvature)
    sinh_radius = math.sinh(row_radius)

    def distance(real: tf.Tensor, synthetic: tf.Tensor) -> tf.Tensor:
        first, second = _norms(real), _norms(synthetic)
        units = (_over(real, first), _over(synthetic, second))
        gap = tf.reduce_sum(tf.math.squared_difference(*units), axis=-2)
        # 1 - cos t, as a sum of positive terms: nothing cancels where rows agree, and
        # epsilon keeps it positive, so that the root has a finite gradient.
        product = first * second
        complement = (0.5 * product * gap + EPSILON) / (product + EPSILON)
        # A row of zeros has no direction: cos t is 0 there, and no gradient flows.
        zero = tf.equal(product, 0.0)
        complement = tf.where(zero, tf.ones_like(complement), complement)
        return factor * tf.asinh(sinh_radius * tf.sqrt(0.5 * complement))

    return distance


def distance_of(config: Any) -> RowDistance:
    """Returns the distance of rows in the geometry of a run's settings.

    Args:
        config: The run's `Config`.
    """
    if config.geometry == "hyperbolic":
        return geodesic_distance(
            config.row_radius, config.curvature, config.loss_weight
        )
    return angle_distance


def total_distance(
    distance: RowDistance, real: Sequence[tf.Tensor], synthetic: Sequence[tf.Tensor]
) -> tf.Tensor:
    """Returns the sum of the distances of all rows of all weights, a scalar.

    Args:
        distance: Distance of rows.
        real: Gradients of weights; the last axis counts the rows. Those without rows
            are left out.
        synthetic: Likewise, of the same shapes.
    """
    sums = [
        tf.reduce_sum(distance(*(tf.reshape(g, [-1, g.shape[-1]]) for g in pair)))
        for pair in zip(real, synthetic, strict=True)
        if has_rows(pair[0].shape)
    ]
    return tf.add_n(sums) if sums else tf.zeros([])


def _norms(rows: tf.Tensor) -> tf.Tensor:
    """Returns the norms `[..., rows]`, with the gradient 0 at rows of zeros."""
    squares = tf.reduce_sum(rows * rows, axis=-2)
    zero = tf.equal(squares, 0.0)
    root = tf.sqrt(tf.where(zero, tf.ones_like(squares), squares))
    return tf.where(zero, tf.zeros_like(root), root)


def _over(rows: tf.Tensor, norms: tf.Tensor) -> tf.Tensor:
    return tf.math.divide_no_nan(rows, norms[..., None, :])
