"""A network trained on the real set that remembers how each image fared."""

import numpy as np
import tensorflow as tf

from hdd_tf.data.normalisation import Normalisation
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.training.network_trainer import NetworkTrainer
from hdd_tf.training.training_variables import TrainingState

# Forgetting count of an image that was never classified right: above all others.
NEVER_LEARNT = int(np.iinfo(np.int32).max)


class RecordingTrainer(NetworkTrainer):
    """Also counts forgetting events, and gives the trained network's features.

    An image is forgotten when it is classified wrongly although it was classified
    rightly the last time it was in a training batch (Toneva et al., "An Empirical Study
    of Example Forgetting during Deep Neural Network Learning", ICLR 2019, definition of
    forgetting events). Whether it is right is read off the logits that the update needs
    anyway, so, as there, of the augmented image and before its own update.

    Args:
        network: As `NetworkTrainer`.
        images: Likewise.
        labels: Likewise.
        normalisation: Likewise.
        protocol: Likewise.
    """

    def __init__(
        self,
        network: FunctionalNetwork,
        images: np.ndarray,
        labels: np.ndarray,
        normalisation: Normalisation,
        protocol: TrainingProtocol,
    ) -> None:
        super().__init__(network, images, labels, normalisation, protocol)
        with tf.device("CPU:0"):
            # 1 for an image that was right when it was last seen, and ever.
            self._right = tf.Variable(tf.zeros(len(labels), tf.int32), trainable=False)
            self._learnt = tf.Variable(tf.zeros(len(labels), tf.int32), trainable=False)
            self._events = tf.Variable(tf.zeros(len(labels), tf.int32), trainable=False)
        self._features_of = tf.function(
            self._batch_features, input_signature=[tf.TensorSpec([None], tf.int32)]
        )

    def _begin(self, key: tf.Tensor, resume: TrainingState | None) -> None:
        for record in (self._right, self._learnt, self._events):
            record.assign(tf.zeros_like(record))
        super()._begin(key, resume)

    def forgetting_counts(self) -> np.ndarray:
        """Returns `[n]` int32: how often training forgot each image.

        `NEVER_LEARNT` for images that were never right, as Toneva et al. sort them:
        beyond every count.
        """
        learnt = self._learnt.numpy().astype(bool)
        return np.where(learnt, self._events.numpy(), np.int32(NEVER_LEARNT))

    def features(self, rows: np.ndarray) -> np.ndarray:
        """Returns the trained network's features of some of the images, as they are.

        Args:
            rows: `[m]` integers, rows of the training images.

        Returns:
            `[m, d]` float32; nothing else of that size is held meanwhile.
        """
        batch = self._protocol.batch_size
        features = np.empty((0, 0), np.float32)
        for first in range(0, len(rows), batch):
            part = self._features_of(tf.constant(rows[first : first + batch], tf.int32))
            if not first:
                features = np.empty((len(rows), part.shape[1]), np.float32)
            features[first : first + batch] = part
        return features

    def _observe(self, rows: tf.Tensor, labels: tf.Tensor, logits: tf.Tensor) -> None:
        right = tf.cast(tf.argmax(logits, -1, tf.int32) == labels, tf.int32)
        with tf.device("CPU:0"):
            before = tf.gather(self._right, rows)
            learnt = tf.maximum(tf.gather(self._learnt, rows), right)
            # A batch holds no image twice.
            self._events.scatter_add(tf.IndexedSlices(before * (1 - right), rows))
            self._learnt.scatter_update(tf.IndexedSlices(learnt, rows))
            self._right.scatter_update(tf.IndexedSlices(right, rows))

    def _batch_features(self, rows: tf.Tensor) -> tf.Tensor:
        weights = [tf.convert_to_tensor(w) for w in self.weights]
        return self._network.features(weights, self._normalised(self._images, rows))
