"""Functions whose values and gradients are finite where the textbook's are not.

They take float32 or float64 tensors and return the same dtype.
"""

import math

import tensorflow as tf

# Below this norm tanh(r) = r to the last bit. Its square does not underflow in float32.
TINY_NORM = 1e-18
# Stands for the logarithm of 0. The exponential of it, or of half of it, is 0 like that
# of -inf, with which `tf.debugging.enable_check_numerics` would end a training.
LOG_0 = -1e30
_LOG_2 = math.log(2.0)


def safe_log(x: tf.Tensor) -> tf.Tensor:
    """Returns the logarithm; where x is 0, `LOG_0` with the gradient 0."""
    zero = x <= 0.0
    return replace(tf.math.log(replace(x, zero, 1.0)), zero, LOG_0)


def replace(x: tf.Tensor, where: tf.Tensor, value: float) -> tf.Tensor:
    """Returns x with a number in the places of `where`, which broadcasts."""
    # In a graph, `tf.where` would convert a Python number to float32.
    return tf.where(where, tf.constant(value, x.dtype), x)


def log_cosh(r: tf.Tensor) -> tf.Tensor:
    """Returns log cosh(r) for r >= 0, with the relative precision of r near 0 too."""
    near = 0.5 * tf.math.log1p(tf.square(tf.sinh(tf.minimum(r, 1.0))))
    far = r + tf.math.log1p(tf.exp(-2.0 * r)) - _LOG_2
    return tf.where(r < 1.0, near, far)


def norm(v: tf.Tensor) -> tf.Tensor:
    """Returns the norm `[..., 1]`; at 0 its gradient is 0, where `tf.norm` has NaN."""
    square = tf.reduce_sum(tf.square(v), axis=-1, keepdims=True)
    tiny = square < TINY_NORM**2
    return replace(tf.sqrt(replace(square, tiny, 1.0)), tiny, 0.0)


def normalise(logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns softmax, log-softmax and log-sum-exp over the last axis.

    Entries of `LOG_0` or less, -inf too, count as the logarithm of 0. If all entries
    do, the softmax is 0, and the log-sum-exp is `LOG_0`.
    """
    top = tf.stop_gradient(tf.reduce_max(logits, axis=-1, keepdims=True))
    top = replace(top, top <= 0.5 * LOG_0, 0.0)
    exponentials = tf.exp(logits - top)
    total = tf.reduce_sum(exponentials, axis=-1, keepdims=True)
    empty = total <= 0.0
    total = replace(total, empty, 1.0)
    log_total = top + tf.math.log(total)
    log_sum = replace(log_total, empty, LOG_0)
    return exponentials / total, logits - log_total, log_sum[..., 0]
