"""Training on the real set that records the forgetting events of each image."""

import numpy as np
import tensorflow as tf

from hdd_tf.data.normalisation import Normalisation
from hdd_tf.data.stored_images import ImageRows
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.training.network_trainer import NetworkTrainer
from hdd_tf.training.training_variables import TrainingState

# Forgetting count of an image that was never classified correctly, above all others.
NEVER_LEARNT = int(np.iinfo(np.int32).max)


class RecordingTrainer(NetworkTrainer):
    """A `NetworkTrainer` that counts forgetting events, and computes features.

    An image is forgotten when it is classified incorrectly, although it was classified
    correctly the last time it was in a training batch (Toneva et al., "An Empirical
    Study of Example Forgetting during Deep Neural Network Learning", ICLR 2019,
    definition of forgetting events). The classification is that of the update's own
    logits: as in the paper, of the augmented image and before the update.

    Args:
        network: The network, a function of its weights; `features` needs a network
            without state.
        images: `[n, h, w, c]` uint8 or float32 on the 0-255 scale.
        labels: `[n]` integer class numbers.
        normalisation: Normalisation of the network's images.
        protocol: Training protocol with hard labels.
    """

    def __init__(
        self,
        network: FunctionalNetwork,
        images: ImageRows,
        labels: np.ndarray,
        normalisation: Normalisation,
        protocol: TrainingProtocol,
    ) -> None:
        super().__init__(network, images, labels, normalisation, protocol)
        with tf.device("CPU:0"):
            # 1 for an image that was correct when last seen (right), or ever (learnt).
            self._right = tf.Variable(tf.zeros(len(labels), tf.int32), trainable=False)
            self._learnt = tf.Variable(tf.zeros(len(labels), tf.int32), trainable=False)
            self._events = tf.Variable(tf.zeros(len(labels), tf.int32), trainable=False)
        self._features_of = tf.function(
            self._batch_features,
            input_signature=[tf.TensorSpec([None], tf.int32)],
            autograph=False,
        )

    def _begin(self, key: tf.Tensor, resume: TrainingState | None) -> None:
        for record in (self._right, self._learnt, self._events):
            record.assign(tf.zeros_like(record))
        super()._begin(key, resume)

    def forgetting_counts(self) -> np.ndarray:
        """Returns the `[n]` int32 number of forgetting events of each image.

        An image that was never classified correctly has the count `NEVER_LEARNT`:
        Toneva et al. sort such images beyond every count.
        """
        learnt = self._learnt.numpy().astype(bool)
        return np.where(learnt, self._events.numpy(), np.int32(NEVER_LEARNT))

    def features(self, rows: np.ndarray) -> np.ndarray:
        """Returns the trained network's features of images without augmentation.

        Args:
            rows: `[m]` integers, rows of the training images.

        Returns:
            `[m, d]` float32. The computation holds no second array of that size.
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
            # A batch contains no image twice, so no two updates go to the same row.
            self._events.scatter_add(tf.IndexedSlices(before * (1 - right), rows))
            self._learnt.scatter_update(tf.IndexedSlices(learnt, rows))
            self._right.scatter_update(tf.IndexedSlices(right, rows))

    def _batch_features(self, rows: tf.Tensor) -> tf.Tensor:
        weights = [tf.convert_to_tensor(w) for w in self.weights]
        return self._network.features(weights, self._set.normalised(rows))
