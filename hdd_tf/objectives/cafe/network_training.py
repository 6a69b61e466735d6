"""How CAFE's networks are tested on real images and train on the synthetic ones."""

import tensorflow as tf

from hdd_tf.data.class_store import ClassStore
from hdd_tf.distillation.class_loop import ClassLoop
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.distillation.real_images import RealImages
from hdd_tf.distillation.synthetic_set import SyntheticSet
from hdd_tf.distributed.first_replica import by_first_replica
from hdd_tf.objectives.cafe.watchers import Watcher, empty_watcher
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.training.inner_training import InnerSchedule, InnerTraining


class NetworkTraining:
    """Tests and trains a network; changes no variable.

    Its methods are called outside `strategy.run`. One replica trains, and the others
    hear of the result, so that machines cannot drift apart.

    Args:
        context: The run's settings, data, network and devices.
        synthetic_set: The synthetic images, which networks train on.
        store: The real training images, which networks are tested on.
        one_of: Names of the transformations of which each training batch draws one;
            empty for no augmentation.
        max_epochs: Largest number of epochs after an update of the images.
    """

    def __init__(
        self,
        context: MethodContext,
        synthetic_set: SyntheticSet,
        store: ClassStore,
        one_of: tuple[str, ...],
        max_epochs: int,
    ) -> None:
        config = context.config
        self._strategy = context.strategy
        self._network = context.network
        self._test_network = context.fast_network
        self._synthetic_set = synthetic_set
        self._store = store
        self._max_epochs = max_epochs
        self._seed = config.seed
        schedule = InnerSchedule(
            1, config.cafe_network_batch, config.cafe_network_lr, one_of
        )
        self._epoch = InnerTraining(context.network, schedule, context.piece)
        self._test_images = config.cafe_test_images
        self._spread = config.cafe_train_spread
        self._num_classes = synthetic_set.images.shape[0]
        blocks = context.class_blocks(synthetic_set.decoded_ipc)
        self._chunk = blocks.real_chunk
        self._loop = ClassLoop(blocks, self._num_classes)

    def accuracy(self, weights: list[tf.Tensor], *path: tf.Tensor) -> tf.Tensor:
        """Returns the accuracy on real training images, the mean over the classes.

        Args:
            weights: Weights of the network.
            *path: Scalar int32 tensors that select the images.
        """
        key = derive_key(self._seed, Purpose.WATCHED_IMAGES, *path)
        rows, counts = self._store.draw_indices(key, self._test_images)

        def predict(images: tf.Tensor) -> tf.Tensor:
            logits = self._test_network.logits(weights, images)
            return tf.cast(tf.argmax(logits, -1), tf.float32)

        def of_block(classes: tf.Tensor) -> tf.Tensor:
            weight = tf.gather(counts, classes)
            images = RealImages(
                self._store,
                classes,
                tf.gather(rows, classes),
                weight,
                None,
                self._chunk,
            )
            labels = tf.cast(classes, tf.float32)[:, None]
            hits = tf.cast(images.map(predict) == labels, tf.float32)
            return tf.reduce_sum(weight * hits, axis=1) / tf.reduce_sum(weight, axis=1)

        parts = self._strategy.run(lambda: self._loop.scatter(of_block, tf.float32))
        return tf.reduce_mean(self._strategy.reduce("SUM", parts, axis=None))

    def train(
        self,
        weights: list[tf.Tensor],
        network: tf.Tensor,
        update: tf.Tensor,
        skip: tf.Tensor,
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Trains a network until its accuracy has moved enough.

        Args:
            weights: Weights of the network.
            network: Number of the network, scalar int32 tensor.
            update: Number of the image update before, scalar int32 tensor.
            skip: Scalar bool; True returns the weights as they are.

        Returns:
            The new weights, and whether the largest number of epochs ended the loop.
        """

        def wanted(epoch: tf.Tensor, done: tf.Tensor, *_: object) -> tf.Tensor:
            return ~done & (epoch < self._max_epochs)

        def body(
            epoch: tf.Tensor, done: tf.Tensor, weights: list, watcher: Watcher
        ) -> tuple:
            weights = self._trained_by_one(weights, network, update, epoch)
            # Test 0 of an update comes before its training.
            accuracy = self.accuracy(weights, network, update, epoch + 1)
            watcher = watcher.note(accuracy, self._num_classes)
            return epoch + 1, watcher.has_moved(self._spread), weights, watcher

        start = (tf.constant(0), skip, weights, empty_watcher())
        _, done, weights, _ = tf.while_loop(wanted, body, start, parallel_iterations=1)
        return weights, ~done

    def epoch(self, weights: list[tf.Tensor], key: tf.Tensor) -> list[tf.Tensor]:
        """Returns the weights after one epoch of plain SGD on the synthetic images.

        Args:
            weights: Weights of the network.
            key: `[2]` int32 key of the epoch.
        """
        images, labels = self._synthetic_set.training_images()
        return self._epoch.train(weights, images, labels, key)

    def _trained_by_one(
        self,
        weights: list[tf.Tensor],
        network: tf.Tensor,
        update: tf.Tensor,
        epoch: tf.Tensor,
    ) -> list[tf.Tensor]:
        """Returns the weights after an epoch that the first replica trains."""
        key = derive_key(self._seed, Purpose.SET_EPOCH, network, update, epoch)
        return by_first_replica(
            self._strategy, lambda present: self.epoch(present, key), weights
        )
