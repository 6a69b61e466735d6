"""Training of a network on a synthetic set for some epochs, as a function of weights.

Plain SGD, without momentum or weight decay, of the mean cross-entropy of each batch.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.distributed.compilation import Piece, as_it_is
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.protocols.sgd import classification_step
from hdd_tf.random_keys import derive_key

# The streams of random numbers under the key of an epoch.
_ORDER, _BATCH = 0, 1

Weights = list[tf.Tensor]


@dataclasses.dataclass(frozen=True)
class InnerSchedule:
    """How long a network trains, and how.

    Attributes:
        epochs: Epochs of a training, >= 0.
        batch_size: Images of a batch; the last of an epoch may be smaller.
        learning_rate: Learning rate, positive.
        augmentations: Transformations of which each batch gets one, with values of its
            own for each image.
    """

    epochs: int
    batch_size: int = 256
    learning_rate: float = 0.01
    augmentations: tuple[str, ...] = ()


class InnerTraining:
    """Trains a network on a set of images.

    Args:
        network: The network, a function of its weights.
        schedule: How long it trains, and how.
        piece: Function that runs a piece of the graph, compiled or not.
    """

    def __init__(
        self,
        network: FunctionalNetwork,
        schedule: InnerSchedule,
        piece: Piece = as_it_is,
    ) -> None:
        self._network = network
        self._schedule = schedule
        self._piece = piece

    def train(
        self, weights: Weights, images: tf.Tensor, labels: tf.Tensor, key: tf.Tensor
    ) -> Weights:
        """Returns the network's weights after the training.

        Args:
            weights: Weights of the network.
            images: `[n, h, w, c]` normalised images.
            labels: `[n]` int32 class numbers.
            key: `[2]` int32 key of the order and the augmentation of the images.
        """
        size = self._schedule.batch_size
        full, rest = divmod(images.shape[0], size)

        def learn(
            rows: tf.Tensor, weights: Weights, epoch: tf.Tensor, batch: tf.Tensor | int
        ) -> Weights:
            seen = self.augmented(tf.gather(images, rows), key, epoch, batch)
            return self._updated(weights, seen, tf.gather(labels, rows))

        def of_epoch(epoch: tf.Tensor, weights: Weights) -> Weights:
            order = self.order(images.shape[0], key, epoch)

            def of_batch(batch: tf.Tensor, weights: Weights) -> Weights:
                rows = tf.reshape(order[batch * size : (batch + 1) * size], [size])
                return learn(rows, weights, epoch, batch)

            weights = _repeat(full, of_batch, weights)
            if rest:
                weights = learn(order[full * size :], weights, epoch, full)
            return weights

        return _repeat(self._schedule.epochs, of_epoch, weights)

    def order(self, count: int, key: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        """Returns the `[count]` int32 numbers of the images in the order of an epoch.

        Args:
            count: Number of images.
            key: `[2]` int32 key of the training.
            epoch: Number of the epoch, scalar int32.
        """
        order_key = derive_key(key, epoch, _ORDER)
        return tf.random.experimental.stateless_shuffle(tf.range(count), order_key)

    def augmented(
        self, images: tf.Tensor, key: tf.Tensor, epoch: tf.Tensor, batch: tf.Tensor
    ) -> tf.Tensor:
        """Returns the images of a batch as the network sees them.

        Args:
            images: `[n, h, w, c]` normalised images.
            key: `[2]` int32 key of the training.
            epoch: Number of the epoch, scalar int32.
            batch: Number of the batch in its epoch, scalar int32.
        """
        names = self._schedule.augmentations
        if not names:
            return images
        parameters = dsa.draw(
            derive_key(key, epoch, _BATCH, batch),
            *images.shape[:3],
            one_of=names,
            same_choice=True,
        )
        return dsa.apply(images[:, None], parameters, differentiable=False)[:, 0]

    def _updated(
        self, weights: Weights, images: tf.Tensor, labels: tf.Tensor
    ) -> Weights:
        """Returns the weights after one update."""
        # Without momentum the velocities of earlier updates do not matter.
        no_velocities = [tf.zeros([], weight.dtype) for weight in weights]
        return self._piece(
            lambda: classification_step(
                self._network,
                weights,
                no_velocities,
                images,
                labels,
                self._schedule.learning_rate,
                momentum=0.0,
                weight_decay=0.0,
            )[0]
        )


def _repeat(
    count: int, body: Callable[[tf.Tensor, Weights], Any], weights: Weights
) -> Weights:
    """Returns the weights after `body` of 0, ..., count - 1, in a loop of the graph."""
    if count == 0:
        return weights
    if count == 1:
        return body(tf.constant(0), list(weights))
    return tf.while_loop(
        lambda index, _: index < count,
        lambda index, present: (index + 1, body(index, present)),
        (tf.constant(0), list(weights)),
        parallel_iterations=1,
    )[1]
