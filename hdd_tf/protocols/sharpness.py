"""The update of a sharpness-aware training that follows flat trajectories.

Source: Du et al., "Minimizing the Accumulated Trajectory Error to Improve Dataset
Distillation" (FTD), CVPR 2023, and its released program, whose ascent is adaptive.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

# What the program adds to norms before it divides by them.
_EPSILON = 1e-12


def flat_gradient(
    weights: Sequence[tf.Tensor],
    first: Sequence[tf.Tensor],
    gradient_at: Callable[[list[tf.Tensor]], list[tf.Tensor]],
    radius: float,
    share: float,
) -> list[tf.Tensor]:
    """Returns what takes the gradient's place in an update of all weights w.

        g0 = g(w),   d = w^2 g0 radius / (||w| g0| + e),   g1 = g(w + d)
        v = g0 - cos(g0, g1) |g0| g1 / (|g1| + e),   result: g1 - share v

    All norms and products are over all weights together.

    Args:
        weights: The weights w.
        first: The gradient g0 of a batch's loss at w.
        gradient_at: Function of weights to the gradients of that loss.
        radius: Length of the ascent, > 0 (the paper's rho).
        share: How much of the part of g0 that is orthogonal to g1 is taken away, >= 0
            (the program's alpha).
    """
    scale = radius / (
        _norm([tf.abs(w) * g for w, g in zip(weights, first, strict=True)]) + _EPSILON
    )
    second = gradient_at(
        [w + w * w * g * scale for w, g in zip(weights, first, strict=True)]
    )
    length, other = _norm(first), _norm(second)
    product = tf.add_n(
        [tf.reduce_sum(a * b) for a, b in zip(first, second, strict=True)]
    )
    cosine = product / (length * other + _EPSILON)
    along = cosine * length / (other + _EPSILON)
    return [b - share * (a - along * b) for a, b in zip(first, second, strict=True)]


def _norm(parts: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(part)) for part in parts]))
