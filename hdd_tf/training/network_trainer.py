"""Training a network entirely inside the graph."""

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hdd_tf.data.epoch_labels import EpochLabels
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.data.stored_images import ImageRows
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.teacher import Teacher
from hdd_tf.protocols.label_sources import LabelSources
from hdd_tf.protocols.optimisers import optimiser_of
from hdd_tf.protocols.schedules import optimiser_starts
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.training.graph.accuracy import Classifications, percent_correct
from hdd_tf.training.graph.call_length import CallLength
from hdd_tf.training.graph.epochs import Epochs
from hdd_tf.training.graph.training_images import TrainingImages
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
        self._network = network
        self._protocol = protocol
        sources = LabelSources(label_logits, epoch_labels, teacher)
        self._set = TrainingImages(images, labels, normalisation, protocol, sources)
        optimiser = optimiser_of(protocol)
        self._variables = TrainingVariables(network, optimiser.slot_shapes)
        self._learn = Update(
            network, self._variables, protocol, optimiser, teacher, self._observe
        )
        self._epochs = Epochs(self._set, protocol, self._learn, self._variables.updates)
        self._updates_per_call = CallLength(UPDATES_PER_CALL)
        self._classifications = Classifications(
            network,
            self.weights,
            self.state,
            self._set.normalise,
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
        self._set.replace(images, labels, label_logits)

    def set_learning_rate(self, learning_rate: float) -> None:
        """Sets the rate that the protocol's schedule starts from.

        Args:
            learning_rate: Positive rate, such as one that a set has learnt.
        """
        self._epochs.set_learning_rate(learning_rate)

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
            loss, images = self._epochs.run(key, done, stop, loss, images)
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
        return self._epochs.updates_per_epoch

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
        return len(self._set)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        return self._set.image_shape

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
        return self._epochs.trace_count

    def _observe(self, rows: tf.Tensor, labels: tf.Tensor, logits: tf.Tensor) -> None:
        """Observes a batch in the graph, before its update; for subclasses."""
        del rows, labels, logits  # AutoGraph needs a statement beside the docstring.
