"""Matrix products that stay exact to float32 while TensorFloat-32 is on.

TensorFloat-32 is a switch of the whole process: with it, the tensor cores of NVIDIA's
Ampere and later cards round the factors of every float32 product to 10 bits of
mantissa. Convolutions bear that. Centroids and whitened pixels do not:
the error is a thousand times the one that the geometry promises.
"""

import tensorflow as tf

# Sign, exponent and the upper 10 bits of a float32's mantissa.
_UPPER_BITS = -0x2000


def exact_matmul(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Returns the matrix product of two tensors, with errors of their own dtype.

    Args:
        a: `[..., n, k]` float tensor.
        b: `[..., k, m]` float tensor.

    Returns:
        `[..., n, m]`; `tf.matmul(a, b)` itself while TensorFloat-32 is off.
    """
    is_rounded = tf.config.experimental.tensor_float_32_execution_enabled()
    if a.dtype != tf.float32 or not is_rounded:
        return tf.matmul(a, b)
    return product_of_parts(a, b)


@tf.custom_gradient
def product_of_parts(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Returns the product of float32 tensors, from factors that TF32 holds exactly.

    Each factor is the sum of its upper 10 bits of mantissa and a rest, whose rounding
    error is 2^-22 of the factor. The product of the two rests is left out, for it is
    as small. Gradients are such products too.

    Args:
        a: `[..., n, k]` float32.
        b: `[..., k, m]` float32, with the leading dimensions of `a`.

    Returns:
        `[..., n, m]` float32.
    """

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        to_a = product_of_parts(upstream, tf.linalg.matrix_transpose(b))
        to_b = product_of_parts(tf.linalg.matrix_transpose(a), upstream)
        return to_a, to_b

    (upper_a, rest_a), (upper_b, rest_b) = _parts(a), _parts(b)
    small = tf.matmul(rest_a, upper_b) + tf.matmul(upper_a, rest_b)
    return small + tf.matmul(upper_a, upper_b), gradient


def _parts(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    bits = tf.bitwise.bitwise_and(tf.bitcast(values, tf.int32), _UPPER_BITS)
    upper = tf.bitcast(bits, tf.float32)
    return upper, values - upper
