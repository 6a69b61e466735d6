"""The accuracy of a network on held-out images, counted inside the graph."""

import functools
import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.protocols.views import gather_rows
from hdd_tf.training.call_length import CallLength


class AccuracyCounter:
    """Counts the images that a network classifies correctly.

    Args:
        network: The network, a function of its weights.
        weights: Weights of the network, variables of `weight_shapes`.
        state: State of the network, variables of `state_specs`; it does not change.
        normalise: Function from pixels on the 0-255 scale to the network's input.
        batch_size: Largest number of images of a batch.
        batches_per_call: Largest number of batches of one call into the graph.
    """

    def __init__(
        self,
        network: FunctionalNetwork,
        weights: Sequence[tf.Variable],
        state: Sequence[tf.Variable],
        normalise: Callable[[tf.Tensor], tf.Tensor],
        batch_size: int,
        batches_per_call: int,
    ) -> None:
        self._network = network
        self._weights = weights
        self._state = state
        self._normalise = normalise
        self._batch_size = batch_size
        # A partial has a count of traces of its own, see `NetworkTrainer`.
        self._count_correct = tf.function(functools.partial(self._correct))
        self._batches_per_call = CallLength(batches_per_call)

    def accuracy(self, images: np.ndarray, labels: np.ndarray) -> float:
        """Returns the percentage of images that the network classifies correctly.

        Args:
            images: `[n, h, w, c]` uint8 or float32 on the 0-255 scale.
            labels: `[n]` integer class numbers.
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
        return min(self._batch_size, count)

    def _correct(
        self, images: tf.Tensor, labels: tf.Tensor, start: tf.Tensor, stop: tf.Tensor
    ) -> tf.Tensor:
        batch = self._test_batch(images.shape[0])
        weights = [tf.convert_to_tensor(w) for w in self._weights]
        state = [tf.convert_to_tensor(s) for s in self._state]
        correct = tf.constant(0)
        for first in tf.range(start, stop, batch):
            rows = tf.range(first, tf.minimum(first + batch, stop))
            correct += self._hits(images, labels, rows, weights, state)
        return correct

    @tf.autograph.experimental.do_not_convert  # It has no loops to look for.
    def _hits(
        self,
        images: tf.Tensor,
        labels: tf.Tensor,
        rows: tf.Tensor,
        weights: list[tf.Tensor],
        state: list[tf.Tensor],
    ) -> tf.Tensor:
        """Returns the number of images, among `rows`, that are classified correctly."""
        batch_images = self._normalise(gather_rows(images, rows))
        logits = self._network.logits(weights, batch_images, state)
        hits = tf.argmax(logits, -1, tf.int32) == tf.gather(labels, rows)
        return tf.reduce_sum(tf.cast(hits, tf.int32))
