"""CAFE's discrimination loss: synthetic class centres classify real features.

The loss is the sum over all real images of the cross-entropy of <g_i, s_k> over the
classes k, where g_i are the features of a real image, and s_k is the mean of the
synthetic features of class k. It reaches the synthetic images through the centres
alone, and its derivative by s_k is

    G_k = sum over i of (softmax_i[k] - [label_i = k]) g_i.

A sum over real images needs all centres, but no other real image. So real images can
come in blocks, on any device. With G, the gradient of <G_k, s_k> by the images of class
k, G held constant, is the gradient of the loss.
"""

import tensorflow as tf

from hdd_tf.exact_product import exact_matmul


def discrimination(
    features: tf.Tensor, weights: tf.Tensor, label: tf.Tensor, centres: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the summed loss of real images of one class.

    Args:
        features: `[n, d]` features of the images.
        weights: `[n]` weights of the images.
        label: Their class, scalar int32.
        centres: `[C, d]` mean synthetic features of all classes.

    Returns:
        The loss, a scalar, and its derivative by the centres, `[C, d]`.
    """
    logits = exact_matmul(features, tf.transpose(centres))
    labels = tf.fill([tf.shape(features)[0]], label)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    residuals = tf.nn.softmax(logits) - tf.one_hot(
        labels, centres.shape[0], dtype=logits.dtype
    )
    residuals = tf.transpose(residuals * weights[:, None])
    return tf.reduce_sum(weights * losses), exact_matmul(residuals, features)


def pull(derivative: tf.Tensor, features: tf.Tensor) -> tf.Tensor:
    """Returns values whose gradient is that of the loss.

    Args:
        derivative: `[b, d]` derivative of the loss by the centres of b classes.
        features: `[b, m, d]` features of m synthetic images of each class.

    Returns:
        `[b]` products <G_k, s_k>; no gradient flows to G.
    """
    centres = tf.reduce_mean(features, axis=1)
    return tf.reduce_sum(tf.stop_gradient(derivative) * centres, axis=-1)
