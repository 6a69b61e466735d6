"""What a network takes held-out images for, computed inside the graph."""

import functools
import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from hdd_tf.data.image_rows import gather_rows, hold
from hdd_tf.data.stored_images import ImageRows, StoredImages
from hdd_tf.distributed.compilation import differentiated
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.training.graph.call_length import CallLength


class Classifications:
    """The classes that a network takes images for.

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
        self._predict = tf.function(functools.partial(self._predictions))
        self._stored: StoredImages | None = None
        self._predict_stored = self._predict
        self._batches_per_call = CallLength(batches_per_call)

    def of(self, images: ImageRows) -> np.ndarray:
        """Returns `[n]` int32, the number of the class that each image is taken for.

        Args:
            images: `[n, h, w, c]` uint8 or float32 on the 0-255 scale.
        """
        count, predict = len(images), self._predictor(images)
        batch, length = self._test_batch(count), self._batches_per_call
        predictions = np.empty(count, np.int32)
        first = 0
        while first < count:
            stop = min(first + length.steps * batch, count)
            began = time.perf_counter()
            ends = tf.constant(first), tf.constant(stop)
            predictions[first:stop] = predict(*ends).numpy()
            length.learn(-(-(stop - first) // batch), time.perf_counter() - began)
            first = stop
        return predictions

    def _predictor(
        self, images: ImageRows
    ) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        """Returns the graph of some images, from a first to a last number."""
        held = hold(images)
        if not isinstance(held, StoredImages):
            return functools.partial(self._predict, held)
        if held is not self._stored:
            # No argument of a graph, but a part of it, which others need not trace.
            self._stored = held
            self._predict_stored = tf.function(
                functools.partial(self._predictions, held)
            )
        return self._predict_stored

    def _test_batch(self, count: int) -> int:
        return min(self._batch_size, count)

    def _predictions(
        self, images: tf.Tensor | StoredImages, start: tf.Tensor, stop: tf.Tensor
    ) -> tf.Tensor:
        batch = self._test_batch(images.shape[0])
        weights = [tf.convert_to_tensor(w) for w in self._weights]
        state = [tf.convert_to_tensor(s) for s in self._state]
        # Small, and of no use on a device, whose kernels for integers are few.
        with tf.device("CPU:0"):
            parts = tf.TensorArray(
                tf.int32,
                size=-((start - stop) // batch),
                infer_shape=False,
                element_shape=[None],
            )
        for first in tf.range(start, stop, batch):
            rows = tf.range(first, tf.minimum(first + batch, stop))
            predicted = self._predicted_classes(images, rows, weights, state)
            with tf.device("CPU:0"):
                parts = parts.write((first - start) // batch, predicted)
        with tf.device("CPU:0"):
            return parts.concat()

    @tf.autograph.experimental.do_not_convert  # It has no loops to look for.
    def _predicted_classes(
        self,
        images: tf.Tensor | StoredImages,
        rows: tf.Tensor,
        weights: list[tf.Tensor],
        state: list[tf.Tensor],
    ) -> tf.Tensor:
        """Returns the class that the network takes each of some images for."""
        batch_images = self._normalise(gather_rows(images, rows))
        with differentiated(0):
            logits = self._network.logits(weights, batch_images, state)
        return tf.argmax(logits, -1, tf.int32)


def percent_correct(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Returns the percentage of images whose class is predicted.

    Args:
        predictions: `[n]` integers, the predicted classes.
        labels: `[n]` integers, the classes; n >= 1.
    """
    return 100.0 * int(np.sum(predictions == labels)) / len(labels)
