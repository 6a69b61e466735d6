"""Training of the embedded model's networks, by a loss of their own, in the graph."""

import functools
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hdd_tf.protocols.optimisers import optimiser_of
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.selection.d4m.layers import GenerativeNetwork
from hdd_tf.training.graph.call_length import CallLength
from hdd_tf.training.training_variables import TrainingState, TrainingVariables

# (weights, rows `[b]` of the training split, key of the batch) -> scalar loss
Loss = Callable[[list[tf.Tensor], tf.Tensor, tf.Tensor], tf.Tensor]
_UPDATES_PER_CALL = 25
_LONGEST_MEMORY = 0.999


class GenerativeTrainer:
    """Trains a network on shuffled passes over the training split.

    All random numbers depend on the key and the number of the update, so a training
    that was stopped goes on to the bit.

    Args:
        network: The network; its running averages are updated too, if it has any.
        loss: Loss of a batch, called in the graph.
        num_images: Number of images of the training split.
        protocol: Batch size and optimiser.
        rates: Learning rate of each update.
        updates_per_epoch: Updates that count as an epoch; `protocol.epochs` of them are
            all `rates`.
        clip_norm: Largest norm of the gradient of all weights; None for no limit.
    """

    def __init__(
        self,
        network: GenerativeNetwork,
        loss: Loss,
        num_images: int,
        protocol: TrainingProtocol,
        rates: np.ndarray,
        updates_per_epoch: int,
        clip_norm: float | None = None,
    ) -> None:
        self._loss = loss
        self._averaged = network.averaged
        self._num_images = num_images
        self._batch = min(protocol.batch_size, num_images)
        self._per_epoch = updates_per_epoch
        self._last = len(rates)
        self._clip_norm = clip_norm
        self._optimiser = optimiser_of(protocol)
        self._variables = TrainingVariables(network, self._optimiser.slot_shapes)
        self._rates = tf.constant(rates, tf.float32)
        count = tf.TensorSpec([], tf.int32)
        # A partial has a count of traces of its own.
        self._run_updates = tf.function(
            functools.partial(self._train),
            input_signature=[tf.TensorSpec([2], tf.int32), count, count],
        )
        self._length = CallLength(_UPDATES_PER_CALL)

    @property
    def weights(self) -> list[tf.Variable]:
        """The network's weights."""
        return self._variables.weights

    @property
    def updates_per_epoch(self) -> int:
        """Number of updates of an epoch."""
        return self._per_epoch

    def snapshot(self) -> TrainingState | None:
        """Returns the consistent state of the training; None before its start."""
        return self._variables.snapshot()

    def train(
        self,
        key: tf.Tensor,
        on_epochs: Callable[[int], object] = lambda epochs: None,
        resume: TrainingState | None = None,
        on_call: Callable[[], None] = lambda: None,
    ) -> float:
        """Trains a fresh network; see `NetworkTrainer.train`.

        Returns:
            The mean loss of the updates of the last call into the graph.
        """
        if resume is None:
            self._variables.begin(derive_key(key, Purpose.EVALUATION_NETWORK))
        else:
            self._variables.resume(resume)
        done, loss = int(self._variables.updates), 0.0
        while done < self._last:
            stop = min(done + self._length.steps, self._last)
            began = time.perf_counter()
            # Reading the loss waits for the call to end, so that it can be timed.
            loss = float(self._run_updates(key, done, stop))
            self._length.learn(stop - done, time.perf_counter() - began)
            on_call()
            epochs = stop // self._per_epoch - done // self._per_epoch
            if epochs:
                on_epochs(epochs)
            done = stop
        return loss

    def time_update(self) -> float:
        """Returns the seconds of an update, measured; ends any training."""
        key = derive_key(0)
        self._variables.begin(key)
        self._run_updates(key, 0, 1)  # Traces the graph.
        began = time.perf_counter()
        float(self._run_updates(key, 0, 1))
        return time.perf_counter() - began

    def _train(self, key: tf.Tensor, first: tf.Tensor, stop: tf.Tensor) -> tf.Tensor:
        total = tf.constant(0.0)
        for update in tf.range(first, stop):
            total += self._update(key, update)
        self._variables.updates.assign(stop)
        return total / tf.cast(stop - first, tf.float32)

    @tf.autograph.experimental.do_not_convert
    def _update(self, key: tf.Tensor, update: tf.Tensor) -> tf.Tensor:
        rows, variables = self._rows(key, update), self._variables
        batch_key = derive_key(key, Purpose.GENERATIVE_BATCH, update)
        with tf.GradientTape() as tape:
            weights = [tf.convert_to_tensor(weight) for weight in variables.weights]
            tape.watch(weights)
            loss = self._loss(weights, rows, batch_key)
        gradients = tape.gradient(loss, weights)
        if self._clip_norm is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, self._clip_norm)
        rate = tf.gather(self._rates, update)
        self._optimiser.update(variables.weights, variables.slots, gradients, rate)
        if self._averaged:
            self._average(tf.cast(update, tf.float32))
        return loss

    def _average(self, update: tf.Tensor) -> None:
        """Moves the averages towards the weights, at first by larger shares."""
        memory = tf.minimum(_LONGEST_MEMORY, (1.0 + update) / (10.0 + update))
        variables = self._variables
        for average, weight in zip(variables.state, variables.weights, strict=True):
            average.assign(memory * average + (1.0 - memory) * weight)

    def _rows(self, key: tf.Tensor, update: tf.Tensor) -> tf.Tensor:
        """Returns `[batch]` rows; a pass leaves out what fills no whole batch."""
        per_pass = self._num_images // self._batch
        order = tf.random.experimental.stateless_shuffle(
            tf.range(self._num_images),
            derive_key(key, Purpose.EVALUATION_ORDER, update // per_pass),
        )
        start = update % per_pass * self._batch
        return tf.ensure_shape(order[start : start + self._batch], [self._batch])
