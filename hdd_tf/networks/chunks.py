"""Batches in chunks whose maps stay in a processor's cache.

Between convolutions, a network's time on a CPU is that of memory: each norm, ReLU and
pooling reads and writes a whole map. The maps of a few images stay in the cache, those
of a batch do not. A network without state treats each image by itself, so values are
the same to the bit, and gradients are sums in another order.

A GPU wants large batches, so where there is one nothing is cut.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

# Of the largest map of a chunk.
MAP_BYTES = 8 * 2**20
# Fewer images do not keep a processor busy.
_LEAST_IMAGES = 4


def chunk_of(map_bytes: int) -> int | None:
    """Returns the number of images of a chunk; None where batches stay whole.

    Args:
        map_bytes: Bytes of the largest map of an image.
    """
    if tf.config.list_logical_devices("GPU"):
        return None
    return max(_LEAST_IMAGES, MAP_BYTES // max(1, map_bytes))


def in_chunks(
    function: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor, most: int | None
) -> tf.Tensor:
    """Applies a function of single images, without a gradient.

    Args:
        function: Function of `[m, h, w, c]` images that returns `[m, ...]` float32, a
            value of each image alone.
        images: `[n, h, w, c]` images.
        most: Largest number of images of a call; None for all.

    Returns:
        `[n, ...]` float32.
    """
    count = images.shape[0]
    if most is None or count is None or count <= most:
        return function(images)
    number, length = _split(count, most)
    padding = [[0, number * length - count]] + [[0, 0]] * (images.shape.rank - 1)
    values = tf.map_fn(
        function,
        tf.reshape(tf.pad(images, padding), [number, length, *images.shape[1:]]),
        fn_output_signature=tf.float32,
        parallel_iterations=1,
    )
    return tf.reshape(values, [-1, *values.shape[2:]])[:count]


def mean_gradient(
    losses_of: Callable[[Any], tuple[tf.Tensor, tf.Tensor]],
    batch: Any,
    weights: list[tf.Tensor],
    most: int | None,
) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
    """Computes a batch's mean loss and its gradient.

    Args:
        losses_of: Function of the batch, or of a part of it, that returns the images'
            losses `[m]` and logits `[m, C]`.
        batch: Nested tensors `[n, ...]` with an entry for each image.
        weights: Tensors that the losses depend on.
        most: Largest number of images of a call; None for all.

    Returns:
        The scalar mean, the `[n, C]` float32 logits, and the gradient of the mean to
        each weight, zero where no loss depends on it.
    """

    def gradient_of(
        part: Any, shares: tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            tape.watch(weights)
            losses, logits = losses_of(part)
            if shares is None:
                loss = tf.reduce_mean(losses)
            else:
                loss = tf.reduce_sum(losses * shares)
        zero = tf.UnconnectedGradients.ZERO
        return loss, logits, tape.gradient(loss, weights, unconnected_gradients=zero)

    count = tf.nest.flatten(batch)[0].shape[0]
    if most is None or count is None or count <= most:
        return gradient_of(batch, None)
    number, length = _split(count, most)
    # The last image again, with a share of 0, fills the last part.
    order = tf.range(number * length)
    rows = tf.reshape(tf.minimum(order, count - 1), [number, length])
    shares = tf.reshape(tf.cast(order < count, tf.float32) / count, [number, length])

    def add(
        index: tf.Tensor, total: tf.Tensor, logits: tf.TensorArray, sums: list
    ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray, list]:
        part = tf.nest.map_structure(lambda x: tf.gather(x, rows[index]), batch)
        loss, found, gradients = gradient_of(part, shares[index])
        sums = [s + g for s, g in zip(sums, gradients, strict=True)]
        return index + 1, total + loss, logits.write(index, found), sums

    _, total, logits, sums = tf.while_loop(
        lambda index, *_: index < number,
        add,
        (
            tf.constant(0),
            tf.constant(0.0),
            tf.TensorArray(tf.float32, size=number),
            [tf.zeros_like(w) for w in weights],
        ),
        parallel_iterations=1,
    )
    return total, logits.concat()[:count], sums


def _split(count: int, most: int) -> tuple[int, int]:
    """Returns the number and the length of equal parts that hold `count` images."""
    number = -(-count // most)
    return number, -(-count // number)
