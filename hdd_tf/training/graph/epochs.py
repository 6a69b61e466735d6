"""The updates of the epochs of a training, inside the graph."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hdd_tf.protocols.schedules import rate_at
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.protocols.views import View
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.training.graph.training_images import TrainingImages

# (rows `[b]`, class numbers `[b]`, view of the batch, learning rate) -> scalar loss
Learn = Callable[[tf.Tensor, tf.Tensor, View, tf.Tensor], tf.Tensor]


class Epochs:
    """Runs through batches, with one trace for all sets and networks of a shape.

    Args:
        training_set: The set.
        protocol: Training protocol.
        learn: Function that makes the update of a batch, in the graph.
        updates: Scalar int32 variable, the number of updates made.
    """

    def __init__(
        self,
        training_set: TrainingImages,
        protocol: TrainingProtocol,
        learn: Learn,
        updates: tf.Variable,
    ) -> None:
        self._set = training_set
        self._protocol = protocol
        self._learn = learn
        self._updates = updates
        self._rates = tf.Variable(tf.zeros(protocol.epochs), trainable=False)
        self.set_learning_rate(protocol.learning_rate)
        # TensorFlow warns of code that is traced often, and counts the traces of a
        # method over all trainers. A partial has a count of its own.
        self._run = tf.function(
            functools.partial(self._train),
            input_signature=[
                tf.TensorSpec([2], tf.int32),
                tf.TensorSpec([], tf.int32),
                tf.TensorSpec([], tf.int32),
                tf.TensorSpec([], tf.float32),
                tf.TensorSpec([], tf.int32),
            ],
        )

    def set_learning_rate(self, learning_rate: float) -> None:
        """Sets the rate that the protocol's schedule starts from."""
        protocol = dataclasses.replace(self._protocol, learning_rate=learning_rate)
        rates = [rate_at(protocol, epoch) for epoch in range(protocol.epochs)]
        self._rates.assign(np.array(rates, np.float32))

    @property
    def updates_per_epoch(self) -> int:
        """Number of batches of an epoch, the last of which may be smaller."""
        return -(-len(self._set) // self._protocol.batch_size)

    @property
    def trace_count(self) -> int:
        """Number of traces; more than one would be a bug."""
        return self._run.experimental_get_tracing_count()

    def run(
        self,
        key: tf.Tensor,
        first: int,
        stop: int,
        loss: tf.Tensor,
        images: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Makes the updates `first`, ..., `stop - 1` of a training.

        Args:
            key: `[2]` int32 key of the training.
            first: Number of the first update.
            stop: Number of the update after the last.
            loss: Sum of the losses of an epoch that an earlier call began.
            images: Number of images in that sum.

        Returns:
            The sum of the losses of the last epoch's images, and the number of these
            images.
        """
        return self._run(key, first, stop, loss, images)

    def _train(
        self,
        key: tf.Tensor,
        first: tf.Tensor,
        stop: tf.Tensor,
        loss: tf.Tensor,
        images: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Makes the updates in the graph, see `run`."""
        count, per_epoch = len(self._set), self.updates_per_epoch
        batch = min(self._protocol.batch_size, count)
        full, rest = divmod(count, batch)
        for epoch in tf.range(first // per_epoch, (stop - 1) // per_epoch + 1):
            order, rate, epoch_key = self._begin_epoch(key, epoch)
            start = tf.maximum(first - epoch * per_epoch, 0)
            end = tf.minimum(stop - epoch * per_epoch, per_epoch)
            if start == 0:
                loss, images = tf.constant(0.0), tf.constant(0)
            for index in tf.range(start, tf.minimum(end, full)):
                rows = order[index * batch : (index + 1) * batch]
                rows = tf.ensure_shape(rows, [batch])
                loss += batch * self._update(rows, epoch_key, epoch, index, rate)
                images += batch
            # The last batch is smaller, as in the published programs.
            if rest > 0 and end > full:
                rows = order[full * batch :]
                rows = tf.ensure_shape(rows, [rest])
                loss += rest * self._update(rows, epoch_key, epoch, full, rate)
                images += rest
        self._updates.assign(stop)
        return loss, images

    # AutoGraph makes graphs of the loops above. What they call has none, and to look
    # for some would take a large part of the time of tracing.
    @tf.autograph.experimental.do_not_convert
    def _begin_epoch(
        self, key: tf.Tensor, epoch: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the order of an epoch's images, its learning rate and its key."""
        order = self._set.order(key, epoch)
        rate = tf.gather(self._rates, epoch)
        return order, rate, derive_key(key, Purpose.EVALUATION_AUGMENTATION, epoch)

    @tf.autograph.experimental.do_not_convert
    def _update(
        self,
        rows: tf.Tensor,
        epoch_key: tf.Tensor,
        epoch: tf.Tensor,
        index: int | tf.Tensor,
        rate: tf.Tensor,
    ) -> tf.Tensor:
        key = derive_key(epoch_key, index)
        labels, view = self._set.batch(rows, key, epoch, index)
        return self._learn(rows, labels, view, rate)
