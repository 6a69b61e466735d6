"""Training a network entirely inside the graph."""

import dataclasses
import functools
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hdd_tf.data.epoch_labels import EpochLabels
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.data.stored_images import ImageRows, StoredImages, gather_rows
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.teacher import Teacher
from hdd_tf.protocols.label_sources import LabelSources
from hdd_tf.protocols.optimisers import optimiser_of
from hdd_tf.protocols.schedules import optimiser_starts, rate_at
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.protocols.views import DrawnViews, ReplayedViews, Views
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.training.accuracy import Classifications, percent_correct
from hdd_tf.training.call_length import CallLength
from hdd_tf.training.training_variables import TrainingState, TrainingVariables
from hdd_tf.training.update import Update

# Largest number of updates, or batches of a test, of one call into the graph. It is
# small enough that progress is visible, and large enough that Python's part of the time
# is negligible. `CallLength` takes fewer if they are slow.
UPDATES_PER_CALL = 25


class NetworkTrainer:
    """Trains fresh networks on a set of images, with one trace for all networks.

    Args:
        network: The network, a function of its weights.
        images: `[n, h, w, c]` uint8 or float32 on the 0-255 scale.
        labels: `[n]` integer class numbers.
        normalisation: Normalisation of the network's images.
        protocol: Training protocol.
        label_logits: `[n, C]` float32 logits of soft labels, for protocols with
            `labels="stored"`.
        epoch_labels: Labels of every view, for protocols with `labels="epochs"`.
        teacher: Teacher of the labels, for protocols with `labels="teacher"`.

    Raises:
        InputError: the labels that the protocol needs are missing, or do not fit.
    """

    def __init__(
        self,
        network: FunctionalNetwork,
        images: ImageRows,
        labels: np.ndarray,
        normalisation: Normalisation,
        protocol: TrainingProtocol,
        *,
        label_logits: np.ndarray | None = None,
        epoch_labels: EpochLabels | None = None,
        teacher: Teacher | None = None,
    ) -> None:
        # This reference also keeps alive the objects that the graphs use.
        self._sources = LabelSources(label_logits, epoch_labels, teacher)
        self._normalisation = normalisation
        self._sources.check(protocol, len(images), images.shape[1:])
        self._network = network
        # The set stays on the host, so that only batches take memory of a device.
        self._images: tf.Variable | StoredImages
        with tf.device("CPU:0"):
            if isinstance(images, StoredImages):
                self._images = images
            else:
                self._images = tf.Variable(images, trainable=False)
            self._labels = tf.Variable(labels, trainable=False, dtype=tf.int32)
            self._label_logits = None
            if protocol.labels == "stored":
                self._label_logits = tf.Variable(
                    label_logits, trainable=False, dtype=tf.float32
                )
        self._normalise = normalisation.tensors()
        self._protocol = protocol
        optimiser = optimiser_of(protocol)
        self._variables = TrainingVariables(network, optimiser.slot_shapes)
        self._rates = tf.Variable(tf.zeros(protocol.epochs), trainable=False)
        self.set_learning_rate(protocol.learning_rate)
        self._views: Views = DrawnViews(protocol, self._normalise, len(images))
        if protocol.labels == "epochs" and epoch_labels is not None:
            self._views = ReplayedViews(epoch_labels, images.shape[1:], self._normalise)
        self._learn = Update(
            network, self._variables, protocol, optimiser, teacher, self._observe
        )
        # TensorFlow warns of code that is traced often, and counts the traces of a
        # method over all trainers. A partial has a count of its own.
        self._run_updates = tf.function(
            functools.partial(self._train),
            input_signature=[
                tf.TensorSpec([2], tf.int32),
                tf.TensorSpec([], tf.int32),
                tf.TensorSpec([], tf.int32),
                tf.TensorSpec([], tf.float32),
                tf.TensorSpec([], tf.int32),
            ],
        )
        self._updates_per_call = CallLength(UPDATES_PER_CALL)
        self._classifications = Classifications(
            network,
            self.weights,
            self.state,
            self._normalise,
            protocol.batch_size,
            UPDATES_PER_CALL,
        )

    def replace_images(
        self,
        images: ImageRows,
        labels: np.ndarray,
        label_logits: np.ndarray | None = None,
    ) -> None:
        """Replaces the set by another of the same shape and dtype, without retracing.

        Args:
            images: `[n, h, w, c]`, of the first images' dtype, on the 0-255 scale. If
                those are on disk, only they themselves.
            labels: `[n]` integer class numbers.
            label_logits: `[n, C]` float32 logits of soft labels, for protocols with
                `labels="stored"`.

        Raises:
            InputError: the protocol needs `label_logits`, and they are missing.
            ValueError: the images are on disk, and are not the first ones.
        """
        sources = dataclasses.replace(self._sources, label_logits=label_logits)
        sources.check(self._protocol, len(images), images.shape[1:])
        if isinstance(self._images, StoredImages):
            if images is not self._images:
                raise ValueError("graphs hold images on disk: make another trainer.")
        else:
            self._images.assign(images)
        self._labels.assign(tf.cast(labels, tf.int32))
        if self._label_logits is not None:
            self._label_logits.assign(label_logits)

    def set_learning_rate(self, learning_rate: float) -> None:
        """Sets the rate that the protocol's schedule starts from.

        Args:
            learning_rate: Positive rate, such as one that a set has learnt.
        """
        protocol = dataclasses.replace(self._protocol, learning_rate=learning_rate)
        rates = [rate_at(protocol, epoch) for epoch in range(protocol.epochs)]
        self._rates.assign(np.array(rates, np.float32))

    def train(
        self,
        key: tf.Tensor,
        on_epochs: Callable[[int], object] = lambda epochs: None,
        resume: TrainingState | None = None,
        on_call: Callable[[], None] = lambda: None,
        at_epoch: Callable[[int], None] | None = None,
    ) -> float:
        """Trains a fresh network.

        Args:
            key: `[2]` int32 key of the weights, the order of images and the
                augmentation.
            on_epochs: Function of the number of epochs just trained; it is called
                repeatedly.
            resume: State of an earlier training with this key; None to start afresh.
            on_call: Function that is called after each call into the graph.
            at_epoch: Function that is called with the weights as they are after each
                epoch; its argument is the number of epochs, 0 at the start of a
                training. It comes before `on_call`.

        Returns:
            The mean training loss of the last epoch (of its part since `resume`).
        """
        protocol, per_epoch = self._protocol, self.updates_per_epoch
        self._begin(key, resume)
        starts = [epoch * per_epoch for epoch in optimiser_starts(protocol)]
        length = self._updates_per_call
        done, last = int(self._variables.updates), protocol.epochs * per_epoch
        loss, images = tf.constant(0.0), tf.constant(0)
        if at_epoch and not done:
            at_epoch(0)
        while done < last:
            if done in starts:
                self._variables.clear_slots()
            stop = min(done + length.steps, last, *(s for s in starts if s > done))
            if at_epoch:
                stop = min(stop, (done // per_epoch + 1) * per_epoch)
            began = time.perf_counter()
            loss, images = self._run_updates(key, done, stop, loss, images)
            int(images)  # Waits for the call to end, so that its time can be measured.
            length.learn(stop - done, time.perf_counter() - began)
            epochs, done = stop // per_epoch - done // per_epoch, stop
            if at_epoch and epochs:
                at_epoch(done // per_epoch)
            on_call()
            if epochs:
                on_epochs(epochs)
        return float(loss) / max(int(images), 1)

    def snapshot(self) -> TrainingState | None:
        """Returns the consistent state of the training; None before its start."""
        return self._variables.snapshot()

    @property
    def updates_per_epoch(self) -> int:
        """Number of batches of an epoch, the last of which may be smaller."""
        return -(-self.num_images // self._protocol.batch_size)

    @staticmethod
    def initial_weights(network: FunctionalNetwork, key: tf.Tensor) -> list[tf.Tensor]:
        """Returns the weights that a training with this key starts from."""
        return NetworkTrainer.initial_variables(network, key)[0]

    @staticmethod
    def initial_variables(
        network: FunctionalNetwork, key: tf.Tensor
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """Returns the weights and the state that a training with this key starts from.

        Args:
            network: The network.
            key: `[2]` int32 key of the training.
        """
        return network.initial_variables(derive_key(key, Purpose.EVALUATION_NETWORK))

    def _begin(self, key: tf.Tensor, resume: TrainingState | None) -> None:
        if resume is None:
            self._variables.begin(derive_key(key, Purpose.EVALUATION_NETWORK))
        else:
            self._variables.resume(resume)

    def accuracy(self, images: ImageRows, labels: np.ndarray) -> float:
        """Returns the percentage of images that the network classifies correctly.

        Args:
            images: `[n, h, w, c]` uint8 or float32 on the 0-255 scale.
            labels: `[n]` integer class numbers.
        """
        return percent_correct(self.predictions(images), labels)

    def predictions(self, images: ImageRows) -> np.ndarray:
        """Returns `[n]` int32, the class that the network takes each image for.

        Args:
            images: `[n, h, w, c]` uint8 or float32 on the 0-255 scale.
        """
        return self._classifications.of(images)

    @property
    def num_images(self) -> int:
        """Number of images that networks train on."""
        return self._labels.shape[0]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        height, width, channels = self._images.shape[1:]
        return height, width, channels

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
        """Number of traces of training; more than one would be a bug."""
        return self._run_updates.experimental_get_tracing_count()

    def _normalised(
        self, source: tf.Variable | StoredImages, rows: tf.Tensor
    ) -> tf.Tensor:
        return self._normalise(gather_rows(source, rows))

    def _train(
        self,
        key: tf.Tensor,
        first: tf.Tensor,
        stop: tf.Tensor,
        loss: tf.Tensor,
        images: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Makes the updates `first`, ..., `stop - 1` of a training.

        Returns:
            The sum of the losses of the last epoch's images, and the number of these
            images. `loss` and `images` are the sums of an epoch that an earlier call
            began.
        """
        count, per_epoch = self.num_images, self.updates_per_epoch
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
        self._variables.updates.assign(stop)
        return loss, images

    # AutoGraph makes graphs of the loops above. What they call has none, and to look
    # for some would take a large part of the time of tracing.
    @tf.autograph.experimental.do_not_convert
    def _begin_epoch(
        self, key: tf.Tensor, epoch: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the order of an epoch's images, its learning rate and its key."""
        order = self._views.order(key, epoch)
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
        view = self._views.view(self._images, rows, key, epoch, index)
        labels = tf.gather(self._labels, rows)
        if self._label_logits is not None:
            view = view._replace(label_logits=gather_rows(self._label_logits, rows))
        return self._learn(rows, labels, view, rate)

    def _observe(self, rows: tf.Tensor, labels: tf.Tensor, logits: tf.Tensor) -> None:
        """Observes a batch in the graph, before its update; for subclasses."""
        del rows, labels, logits  # AutoGraph needs a statement beside the docstring.
