"""Labels of every view of a set in a number of epochs, by a teacher's logits.

The views are drawn as a protocol says: a random resized crop and a flip of each image,
and CutMix of each batch. A view that a student sees later is exactly the one that the
teacher saw, as both are made by `ReplayedViews`. (The programs of this kind round a
crop to 8 bits; here it is not rounded, for teacher and student alike.)
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hdd_tf.augment import cutmix, resized_crop
from hdd_tf.data.epoch_labels import EpochLabels
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.networks.teacher import Teacher
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.protocols.views import ReplayedViews
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.signals import interruptions_named

# The streams of random numbers under an epoch's key.
_ORDER, _CROPS, _FLIPS, _MIXING = range(4)


def label_epochs(
    teacher: Teacher,
    images: np.ndarray,
    protocol: TrainingProtocol,
    normalisation: Normalisation,
    seed: int,
    on_epochs: Callable[[int], object] = lambda epochs: None,
) -> EpochLabels:
    """Draws the views of a protocol's epochs, and labels them.

    Args:
        teacher: Networks whose mean logits are the labels.
        images: `[n, h, w, c]` on the 0-255 scale.
        protocol: Protocol of the students, of which the epochs, the batch size, the
            crops, the flips and CutMix are used.
        normalisation: Normalisation of the images, for teacher and students.
        seed: Seed of the views, and of nothing else.
        on_epochs: Function that is called with 1 after each epoch.

    Raises:
        ValueError: the teacher's networks cannot be built, or the protocol mixes images
            by MixUp, whose views cannot be stored.
        InterruptedRunError: a signal came.
    """
    if protocol.mixes and protocol.mixing != "cutmix":
        raise ValueError(f"views of {protocol.mixing!r} cannot be stored.")
    count, height, width, _ = images.shape
    drawn = draw_views(protocol, count, height, width, seed)
    # Logits of many epochs are gigabytes. Here the views alone are read, so their
    # labels are as small as may be.
    labels = EpochLabels(
        **drawn,
        logits=np.zeros((protocol.epochs, count, 1), np.float16),
        batch_size=protocol.batch_size,
    )
    views = ReplayedViews(labels, images.shape[1:], normalisation.tensors())
    with tf.device("CPU:0"):
        held = tf.Variable(images, trainable=False)
    of_epoch = tf.function(
        # TensorFlow counts traces by the code; a partial has a count of its own.
        functools.partial(
            _logits_of_epoch, views, held, teacher.logits_function(), labels.batch_size
        ),
        input_signature=[tf.TensorSpec([], tf.int32)],
        autograph=False,
    )
    logits = np.empty((protocol.epochs, count, teacher.num_classes), np.float16)
    with interruptions_named():
        for epoch in range(protocol.epochs):
            logits[epoch] = of_epoch(tf.constant(epoch)).numpy()
            on_epochs(1)
    return dataclasses.replace(labels, logits=logits)


def draw_views(
    protocol: TrainingProtocol, count: int, height: int, width: int, seed: int
) -> dict[str, np.ndarray]:
    """Draws the views of a protocol's epochs.

    Args:
        protocol: Protocol of the students; see `label_epochs`.
        count: Number of images n.
        height: Rows of the images.
        width: Columns of the images.
        seed: Seed of the views.

    Returns:
        The attributes of `EpochLabels` without the logits and the batch size.
    """
    size = min(protocol.batch_size, count)
    whole = np.tile(np.array([0, 0, height, width], np.int16), (count, 1))

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32)], autograph=False)
    def of_epoch(epoch: tf.Tensor) -> tuple[tf.Tensor, ...]:
        key = derive_key(seed, Purpose.EPOCH_LABELS, epoch)
        order = tf.random.experimental.stateless_shuffle(
            tf.range(count), derive_key(key, _ORDER)
        )
        boxes, flips = tf.constant(whole), tf.zeros([count], tf.bool)
        if protocol.resized_crop < 1:
            boxes = resized_crop.draw_boxes(
                derive_key(key, _CROPS), count, height, width, protocol.resized_crop
            )
        if protocol.flip:
            flips = resized_crop.draw_flips(derive_key(key, _FLIPS), count)
        mixed = [
            cutmix.draw(
                derive_key(key, _MIXING, batch),
                min(size, count - first),
                height,
                width,
                protocol.cutmix if protocol.mixes else 0.0,
            )
            for batch, first in enumerate(range(0, count, size))
        ]
        partners = tf.concat([partner for partner, _ in mixed], axis=0)
        cuts = tf.stack([cut for _, cut in mixed])
        return order, boxes, flips, partners, cuts

    epochs = [of_epoch(tf.constant(epoch)) for epoch in range(protocol.epochs)]
    rows, boxes, flips, partners, cuts = (
        np.stack([part.numpy() for part in parts])
        for parts in zip(*epochs, strict=True)
    )
    return {
        "rows": rows,
        "boxes": boxes.astype(np.int16),
        "flips": flips,
        "partners": partners,
        "cuts": cuts.astype(np.int16),
    }


def _logits_of_epoch(
    views: ReplayedViews,
    images: tf.Variable,
    teacher_logits: Callable[[tf.Tensor], tf.Tensor],
    size: int,
    epoch: tf.Tensor,
) -> tf.Tensor:
    """Returns the float16 logits `[n, C]` of an epoch's views, in their order."""
    key = derive_key(0)
    order = views.order(key, epoch)
    (count,) = order.shape
    full, rest = divmod(count, size)

    def of_batch(index: int | tf.Tensor, number: int) -> tf.Tensor:
        rows = tf.ensure_shape(order[index * size : index * size + number], [number])
        view = views.view(images, rows, key, epoch, index)
        return tf.cast(teacher_logits(view.images), tf.float16)

    parts = []
    if full:
        labels = tf.map_fn(
            lambda index: of_batch(index, size),
            tf.range(full),
            fn_output_signature=tf.float16,
            parallel_iterations=1,
        )
        parts.append(tf.reshape(labels, [full * size, labels.shape[-1]]))
    if rest:
        parts.append(of_batch(full, rest))
    return tf.concat(parts, axis=0)
