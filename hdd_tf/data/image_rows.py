"""Rows of images in the graph, wherever the images lie: in memory or on disk."""

import contextlib
import functools
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from hdd_tf.data.image_file import FAILURES
from hdd_tf.data.memory import as_shareable
from hdd_tf.data.stored_images import ImageRows, StoredImages


def hold(images: ImageRows) -> tf.Tensor | StoredImages:
    """Returns images as `gather_rows` takes them: a tensor of the host, or as they lie.

    A tensor of uint8 images shares the memory of their array, which must not change
    while the tensor is used. `tf.constant` would copy it twice, and keep one copy.

    Args:
        images: `[n, h, w, c]`.
    """
    if isinstance(images, StoredImages):
        images = images.settled()
    if isinstance(images, StoredImages):
        return images
    with tf.device("CPU:0"):
        if images.dtype != np.uint8 or not images.size:
            return tf.constant(images)
        shared = as_shareable(images)
        return tf.experimental.dlpack.from_dlpack(shared.__dlpack__())


def gather_rows(
    values: tf.Tensor | tf.Variable | StoredImages, rows: tf.Tensor
) -> tf.Tensor:
    """Returns rows of a set's images or labels; the set itself stays on the host.

    Args:
        values: `[n, ...]`.
        rows: `[...]` integers.
    """
    with tf.device("CPU:0"):
        if not isinstance(values, StoredImages):
            # Of a variable itself TensorFlow would make a copy at the first `gather`.
            return tf.gather(tf.convert_to_tensor(values), rows)
        rows = tf.convert_to_tensor(rows)
        # Stateful would forbid TensorFlow to run two at a time.
        found = tf.numpy_function(values.take, [rows], tf.uint8, stateful=False)
        return tf.ensure_shape(found, [*rows.shape, *values.shape[1:]])


def lies_on_disk(values: tf.Tensor | StoredImages) -> bool:
    """Tells whether rows of what `hold` has returned are read when they are used."""
    return isinstance(values, StoredImages)


def ask_ahead(
    values: tf.Tensor | StoredImages, rows: tf.Tensor, stream: str = ""
) -> None:
    """Has the system read rows of images on disk that will be gathered soon.

    Args:
        values: `[n, h, w, c]`.
        rows: `[...]` integers.
        stream: Name of the draws that the rows are one of.
    """
    if isinstance(values, StoredImages):
        ask = functools.partial(values.ask_ahead, stream=stream)
        tf.numpy_function(ask, [rows], [])


@contextlib.contextmanager
def failed_reads_named() -> Iterator[None]:
    """Raises as an `InputError` of one line what TensorFlow makes of a failed read."""
    FAILURES.clear()
    try:
        yield
    except tf.errors.OpError as error:
        if not FAILURES:
            raise
        raise FAILURES.pop() from error
