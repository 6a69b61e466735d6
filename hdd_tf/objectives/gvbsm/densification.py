"""Densification: the spectrum of each class's images is drawn to a softer one.

With X `[n, d]` the images of a class, l the eigenvalues of X X' and
P = softmax(l / tau), held fixed, the loss is sum(P (log P - log_softmax(l))).

Source: G-VBSM's program at 1ed80b0, which takes no temperature in the second term.
"""

import dataclasses

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True, eq=False)
class ClassRows:
    """Which rows of a group of images belong to each class.

    Attributes:
        rows: `[classes, most]` int32 rows; padding repeats row 0.
        counts: `[classes]` int32 number of rows of each class; padding follows them.
    """

    rows: np.ndarray
    counts: np.ndarray


def rows_of_classes(labels: np.ndarray) -> ClassRows:
    """Returns the rows of the classes that a group holds.

    Args:
        labels: `[n]` class numbers of the group's images.
    """
    own = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    most = max(map(len, own))
    rows = [np.pad(row, (0, most - len(row))) for row in own]
    counts = [len(row) for row in own]
    return ClassRows(np.array(rows, np.int32), np.array(counts, np.int32))


def densification(
    images: tf.Tensor, rows: tf.Tensor, counts: tf.Tensor, temperature: float
) -> tf.Tensor:
    """Returns the scalar loss of a group of images.

    Args:
        images: `[n, ...]` float images, normalised.
        rows: `[classes, most]` int32, see `ClassRows`.
        counts: `[classes]` int32.
        temperature: Temperature tau > 0.
    """
    flat = tf.reshape(images, [tf.shape(images)[0], -1])
    # The eigenvalues are thousands, and their differences count.
    own = tf.gather(tf.cast(flat, tf.float64), rows)
    most = rows.shape[1]
    valid = tf.range(most) < counts[:, None]
    own = tf.where(valid[..., None], own, 0.0)
    # Padding has the eigenvalue -1, below all others, so it comes first.
    gram = tf.matmul(own, own, transpose_b=True)
    gram -= tf.linalg.diag(tf.cast(~valid, tf.float64))
    _, vectors = tf.linalg.eigh(tf.stop_gradient(gram))
    # The gradient of an eigenvalue is v v', also where others are near.
    values = tf.reduce_sum(vectors * tf.matmul(gram, vectors), axis=-2)
    is_own = tf.range(most) >= most - counts[:, None]
    target = _log_softmax(tf.stop_gradient(values) / temperature, is_own)
    found = _log_softmax(values, is_own)
    terms = tf.where(is_own, tf.exp(target) * (target - found), 0.0)
    return tf.cast(tf.reduce_sum(terms), images.dtype)


def _log_softmax(values: tf.Tensor, is_own: tf.Tensor) -> tf.Tensor:
    """Returns the logarithm of the softmax over the values that are a class's own."""
    lowest = tf.reduce_min(values, axis=-1, keepdims=True) - 1e6
    return tf.nn.log_softmax(tf.where(is_own, values, lowest), axis=-1)
