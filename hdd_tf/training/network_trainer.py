"""Training and testing a network entirely inside the graph."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.training.protocols import TrainingProtocol
from hdd_tf.training.sgd import sgd_step

# Graph calls are about this many updates long: few enough that progress moves and a
# signal is heard, many enough that Python does not count.
UPDATES_PER_CALL = 25


class NetworkTrainer:
    """Trains fresh networks on a set of images; traced once for all of them.

    Args:
        network: The network, a function of its weights.
        images: `[n, h, w, c]` uint8 or float32 on the 0-255 scale.
        labels: `[n]` integers.
        mean: Per channel, in units of the 0-1 scale.
        std: Likewise.
        protocol: How to train.
    """

    def __init__(
        self,
        network: FunctionalNetwork,
        images: np.ndarray,
        labels: np.ndarray,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        protocol: TrainingProtocol,
    ) -> None:
        self._network = network
        # A whole real set stays on the host; only batches cross to a device.
        with tf.device("CPU:0"):
            self._images = tf.Variable(images, trainable=False)
            self._labels = tf.Variable(labels, trainable=False, dtype=tf.int32)
        self._mean = tf.constant(mean, tf.float32)
        self._std = tf.constant(std, tf.float32)
        self._protocol = protocol
        shapes = network.weight_shapes
        self._weights = [tf.Variable(tf.zeros(shape)) for shape in shapes]
        self._velocities = [tf.Variable(tf.zeros(shape)) for shape in shapes]
        self._run_epochs = tf.function(
            self._train_epochs,
            input_signature=[
                tf.TensorSpec([2], tf.int32),
                tf.TensorSpec([], tf.int32),
                tf.TensorSpec([], tf.int32),
                tf.TensorSpec([], tf.float32),
            ],
        )
        self._count_correct = tf.function(self._correct)

    def replace_images(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Goes on with other images of the same shape and dtype, without retracing."""
        self._images.assign(images)
        self._labels.assign(tf.cast(labels, tf.int32))

    def train(
        self,
        key: tf.Tensor,
        on_epochs: Callable[[int], None] = lambda epochs: None,
    ) -> float:
        """Trains a fresh network.

        Args:
            key: `[2]` seed of the weights, the order of images and the augmentation.
            on_epochs: Called now and then with the number of epochs just done.

        Returns:
            The mean training loss of the last epoch.
        """
        protocol = self._protocol
        start = self._network.initial_weights(
            derive_key(key, Purpose.EVALUATION_NETWORK)
        )
        for variable, value in zip(self._weights, start, strict=True):
            variable.assign(value)
        self._clear_velocities()
        rate = protocol.learning_rate
        updates = -(-self._labels.shape[0] // protocol.batch_size)
        stride = max(1, UPDATES_PER_CALL // updates)
        epoch, loss = 0, float("nan")
        while epoch < protocol.epochs:
            stop = min(epoch + stride, protocol.epochs)
            stop = min([stop, *(e for e in protocol.drop_epochs if e > epoch)])
            loss = float(self._run_epochs(key, epoch, stop, rate))
            on_epochs(stop - epoch)
            epoch = stop
            if epoch in protocol.drop_epochs:
                rate *= protocol.drop_factor
                if protocol.reset_velocity:
                    self._clear_velocities()
        return loss

    def accuracy(self, images: np.ndarray, labels: np.ndarray) -> float:
        """Returns the percentage of images that the trained network gets right.

        Args:
            images: `[n, h, w, c]` uint8 or float32 on the 0-255 scale.
            labels: `[n]` integers.
        """
        with tf.device("CPU:0"):
            images, labels = tf.constant(images), tf.constant(labels, tf.int32)
        return 100.0 * int(self._count_correct(images, labels)) / len(labels)

    @property
    def num_images(self) -> int:
        """Number of images that networks train on."""
        return self._labels.shape[0]

    @property
    def weights(self) -> list[tf.Variable]:
        """The network's weights, in the order of `weight_shapes`."""
        return self._weights

    @property
    def trace_count(self) -> int:
        """How often training was traced; more than once would be a bug."""
        return self._run_epochs.experimental_get_tracing_count()

    def _clear_velocities(self) -> None:
        for velocity in self._velocities:
            velocity.assign(tf.zeros_like(velocity))

    def _normalised(
        self, source: tf.Tensor | tf.Variable, rows: tf.Tensor
    ) -> tf.Tensor:
        with tf.device("CPU:0"):
            pixels = tf.gather(source, rows)
        return (tf.cast(pixels, tf.float32) / 255.0 - self._mean) / self._std

    def _train_epochs(
        self, key: tf.Tensor, first: tf.Tensor, stop: tf.Tensor, rate: tf.Tensor
    ) -> tf.Tensor:
        count = self._labels.shape[0]
        batch = min(self._protocol.batch_size, count)
        full, rest = divmod(count, batch)
        loss = tf.constant(0.0)
        for epoch in tf.range(first, stop):
            order_key = derive_key(key, Purpose.EVALUATION_ORDER, epoch)
            order = tf.random.experimental.stateless_shuffle(tf.range(count), order_key)
            epoch_key = derive_key(key, Purpose.EVALUATION_AUGMENTATION, epoch)
            loss = tf.constant(0.0)
            for index in tf.range(full):
                rows = order[index * batch : (index + 1) * batch]
                rows = tf.ensure_shape(rows, [batch])
                loss += batch * self._update(rows, derive_key(epoch_key, index), rate)
            if rest:  # A smaller last batch, as the published programs have it.
                rows = order[full * batch :]
                rows = tf.ensure_shape(rows, [rest])
                loss += rest * self._update(rows, derive_key(epoch_key, full), rate)
        return loss / count

    def _update(self, rows: tf.Tensor, key: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
        protocol = self._protocol
        images = self._normalised(self._images, rows)
        if protocol.augmentations:
            count, height, width, _ = images.shape
            parameters = dsa.draw_per_image(
                key, count, height, width, protocol.augmentations
            )
            images = dsa.apply(images[:, None], parameters, differentiable=False)[:, 0]
        labels = tf.gather(self._labels, rows)
        with tf.GradientTape() as tape:
            weights = [tf.convert_to_tensor(w) for w in self._weights]
            logits = self._network.logits(weights, images)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        self._observe(rows, labels, logits)
        gradients = tape.gradient(loss, self._weights)
        for weight, velocity, gradient in zip(
            self._weights, self._velocities, gradients, strict=True
        ):
            new_weight, new_velocity = sgd_step(
                weight, velocity, gradient, rate, protocol.momentum,
                protocol.weight_decay,
            )  # fmt: skip
            weight.assign(new_weight)
            velocity.assign(new_velocity)
        return loss

    def _observe(self, rows: tf.Tensor, labels: tf.Tensor, logits: tf.Tensor) -> None:
        """For subclasses that watch training; in the graph, before each update."""
        del rows, labels, logits  # AutoGraph cannot do with a docstring alone.

    def _correct(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        count = images.shape[0]
        batch = min(self._protocol.batch_size, count)
        weights = [tf.convert_to_tensor(w) for w in self._weights]
        correct = tf.constant(0)
        for first in tf.range(0, count, batch):
            rows = tf.range(first, tf.minimum(first + batch, count))
            logits = self._network.logits(weights, self._normalised(images, rows))
            hits = tf.argmax(logits, -1, tf.int32) == tf.gather(labels, rows)
            correct += tf.reduce_sum(tf.cast(hits, tf.int32))
        return correct
