"""Training and testing a network entirely inside the graph."""

import functools
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hdd_tf.augment import cutmix, dsa
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.training.call_length import CallLength
from hdd_tf.training.protocols import TrainingProtocol
from hdd_tf.training.sgd import sgd_step
from hdd_tf.training.training_variables import TrainingState, TrainingVariables

# Graph calls are at most this many updates, or batches of a test, long: few enough that
# progress moves, many enough that Python does not count. Fewer where they are slow.
UPDATES_PER_CALL = 25
# The streams under an update's key; the augmentation has the key itself.
_CUTMIX = 1


class NetworkTrainer:
    """Trains fresh networks on a set of images; traced once for all of them.

    Args:
        network: The network, a function of its weights.
        images: `[n, h, w, c]` uint8 or float32 on the 0-255 scale.
        labels: `[n]` integers.
        normalisation: How networks take the images.
        protocol: How to train.
    """

    def __init__(
        self,
        network: FunctionalNetwork,
        images: np.ndarray,
        labels: np.ndarray,
        normalisation: Normalisation,
        protocol: TrainingProtocol,
    ) -> None:
        self._network = network
        # A whole real set stays on the host; only batches cross to a device.
        with tf.device("CPU:0"):
            self._images = tf.Variable(images, trainable=False)
            self._labels = tf.Variable(labels, trainable=False, dtype=tf.int32)
        self._normalise = normalisation.tensors()
        self._protocol = protocol
        self._variables = TrainingVariables(network)
        # TensorFlow warns of code that is traced often, and counts traces by the code:
        # here those of all trainers. A partial of it counts for itself.
        self._run_updates = tf.function(
            functools.partial(self._train),
            input_signature=[
                tf.TensorSpec([2], tf.int32),
                tf.TensorSpec([], tf.int32),
                tf.TensorSpec([], tf.int32),
                tf.TensorSpec([], tf.float32),
                tf.TensorSpec([], tf.float32),
                tf.TensorSpec([], tf.int32),
            ],
        )
        self._count_correct = tf.function(functools.partial(self._correct))
        self._updates_per_call = CallLength(UPDATES_PER_CALL)
        self._batches_per_call = CallLength(UPDATES_PER_CALL)

    def replace_images(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Goes on with other images of the same shape and dtype, without retracing."""
        self._images.assign(images)
        self._labels.assign(tf.cast(labels, tf.int32))

    def train(
        self,
        key: tf.Tensor,
        on_epochs: Callable[[int], object] = lambda epochs: None,
        resume: TrainingState | None = None,
        on_call: Callable[[], None] = lambda: None,
    ) -> float:
        """Trains a fresh network.

        Args:
            key: `[2]` seed of the weights, the order of images and the augmentation.
            on_epochs: Called now and then with the number of epochs just done.
            resume: Where an earlier training with this key was; None: at its start.
            on_call: Called after each call into the graph.

        Returns:
            The mean training loss of the last epoch (of its part since `resume`).
        """
        protocol, per_epoch = self._protocol, self.updates_per_epoch
        self._begin(key, resume)
        drops = [epoch * per_epoch for epoch in protocol.drop_epochs]
        length = self._updates_per_call
        done, last = int(self._variables.updates), protocol.epochs * per_epoch
        loss, images = tf.constant(0.0), tf.constant(0)
        while done < last:
            if done in drops and protocol.reset_velocity:
                self._variables.clear_velocities()
            rate = protocol.learning_rate
            rate *= protocol.drop_factor ** sum(drop <= done for drop in drops)
            drop_ends = (drop for drop in drops if drop > done)
            stop = min(done + length.steps, last, *drop_ends)
            began = time.perf_counter()
            loss, images = self._run_updates(key, done, stop, rate, loss, images)
            int(images)  # Waits for the call to end.
            length.learn(stop - done, time.perf_counter() - began)
            epochs, done = stop // per_epoch - done // per_epoch, stop
            on_call()
            if epochs:
                on_epochs(epochs)
        return float(loss) / max(int(images), 1)

    def snapshot(self) -> TrainingState | None:
        """Returns where the training is, whole; None where it has not begun."""
        return self._variables.snapshot()

    @property
    def updates_per_epoch(self) -> int:
        """Batches of an epoch, the last of which may be smaller."""
        return -(-self.num_images // self._protocol.batch_size)

    @staticmethod
    def initial_weights(network: FunctionalNetwork, key: tf.Tensor) -> list[tf.Tensor]:
        """Returns the weights that a training with this key starts from."""
        return network.initial_weights(derive_key(key, Purpose.EVALUATION_NETWORK))

    def _begin(self, key: tf.Tensor, resume: TrainingState | None) -> None:
        if resume is None:
            self._variables.begin(derive_key(key, Purpose.EVALUATION_NETWORK))
        else:
            self._variables.resume(resume)

    def accuracy(self, images: np.ndarray, labels: np.ndarray) -> float:
        """Returns the percentage of images that the trained network gets right.

        Args:
            images: `[n, h, w, c]` uint8 or float32 on the 0-255 scale.
            labels: `[n]` integers.
        """
        with tf.device("CPU:0"):
            images, labels = tf.constant(images), tf.constant(labels, tf.int32)
        batch = self._test_batch(len(labels))
        first, correct, length = 0, 0, self._batches_per_call
        while first < len(labels):
            stop = min(first + length.steps * batch, len(labels))
            began = time.perf_counter()
            ends = tf.constant(first), tf.constant(stop)
            correct += int(self._count_correct(images, labels, *ends))
            length.learn(-(-(stop - first) // batch), time.perf_counter() - began)
            first = stop
        return 100.0 * correct / len(labels)

    def _test_batch(self, count: int) -> int:
        return min(self._protocol.batch_size, count)

    @property
    def num_images(self) -> int:
        """Number of images that networks train on."""
        return self._labels.shape[0]

    @property
    def weights(self) -> list[tf.Variable]:
        """The network's weights, in the order of `weight_shapes`."""
        return self._variables.weights

    @property
    def state(self) -> list[tf.Variable]:
        """The network's state, in the order of `state_specs`."""
        return self._variables.state

    @property
    def trace_count(self) -> int:
        """How often training was traced; more than once would be a bug."""
        return self._run_updates.experimental_get_tracing_count()

    def _normalised(
        self, source: tf.Tensor | tf.Variable, rows: tf.Tensor
    ) -> tf.Tensor:
        with tf.device("CPU:0"):
            pixels = tf.gather(source, rows)
        return self._normalise(pixels)

    def _train(
        self,
        key: tf.Tensor,
        first: tf.Tensor,
        stop: tf.Tensor,
        rate: tf.Tensor,
        loss: tf.Tensor,
        images: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Makes the updates `first`, ..., `stop - 1` of a training.

        Returns:
            The sum of the losses of the last epoch's images, and their number; `loss`
            and `images` are those of the epoch that an earlier call began.
        """
        count, per_epoch = self.num_images, self.updates_per_epoch
        batch = min(self._protocol.batch_size, count)
        full, rest = divmod(count, batch)
        for epoch in tf.range(first // per_epoch, (stop - 1) // per_epoch + 1):
            order_key = derive_key(key, Purpose.EVALUATION_ORDER, epoch)
            order = tf.random.experimental.stateless_shuffle(tf.range(count), order_key)
            epoch_key = derive_key(key, Purpose.EVALUATION_AUGMENTATION, epoch)
            start = tf.maximum(first - epoch * per_epoch, 0)
            end = tf.minimum(stop - epoch * per_epoch, per_epoch)
            if start == 0:
                loss, images = tf.constant(0.0), tf.constant(0)
            for index in tf.range(start, tf.minimum(end, full)):
                rows = order[index * batch : (index + 1) * batch]
                rows = tf.ensure_shape(rows, [batch])
                loss += batch * self._update(rows, derive_key(epoch_key, index), rate)
                images += batch
            # A smaller last batch, as the published programs have it.
            if rest > 0 and end > full:
                rows = order[full * batch :]
                rows = tf.ensure_shape(rows, [rest])
                loss += rest * self._update(rows, derive_key(epoch_key, full), rate)
                images += rest
        self._variables.updates.assign(stop)
        return loss, images

    def _update(self, rows: tf.Tensor, key: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
        protocol = self._protocol
        images = self._normalised(self._images, rows)
        labels = tf.gather(self._labels, rows)
        if protocol.always or protocol.augmentations:
            count, height, width, _ = images.shape
            parameters = dsa.draw(
                key,
                count,
                height,
                width,
                always=protocol.always,
                one_of=protocol.augmentations,
                same_choice=True,
            )
            images = dsa.apply(images[:, None], parameters, differentiable=False)[:, 0]
        if protocol.cutmix:
            mixed = cutmix.mix(images, derive_key(key, _CUTMIX), protocol.cutmix)
            images = mixed.images
        with tf.GradientTape() as tape:
            weights = [tf.convert_to_tensor(w) for w in self.weights]
            state = [tf.convert_to_tensor(s) for s in self.state]
            logits, state = self._network.training_logits(weights, images, state)
            loss = _mean_cross_entropy(labels, logits)
            if protocol.cutmix:
                foreign = _mean_cross_entropy(tf.gather(labels, mixed.partner), logits)
                loss = mixed.share * loss + (1.0 - mixed.share) * foreign
        self._observe(rows, labels, logits)
        for variable, value in zip(self.state, state, strict=True):
            variable.assign(value)
        # A user's model may hold a weight that its logits do not depend on.
        gradients = tape.gradient(
            loss, self.weights, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        for weight, velocity, gradient in zip(
            self.weights, self._variables.velocities, gradients, strict=True
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

    def _correct(
        self, images: tf.Tensor, labels: tf.Tensor, start: tf.Tensor, stop: tf.Tensor
    ) -> tf.Tensor:
        batch = self._test_batch(images.shape[0])
        weights = [tf.convert_to_tensor(w) for w in self.weights]
        state = [tf.convert_to_tensor(s) for s in self.state]
        correct = tf.constant(0)
        for first in tf.range(start, stop, batch):
            rows = tf.range(first, tf.minimum(first + batch, stop))
            batch_images = self._normalised(images, rows)
            logits = self._network.logits(weights, batch_images, state)
            hits = tf.argmax(logits, -1, tf.int32) == tf.gather(labels, rows)
            correct += tf.reduce_sum(tf.cast(hits, tf.int32))
        return correct


def _mean_cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    )
