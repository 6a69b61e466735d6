"""The images that networks train on, their labels, and how a network sees them."""

import dataclasses

import numpy as np
import tensorflow as tf

from hdd_tf.data.image_rows import gather_rows, hold
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.data.stored_images import ImageRows, StoredImages
from hdd_tf.protocols.label_sources import LabelSources
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.protocols.views import DrawnViews, ReplayedViews, View, Views


class TrainingImages:
    """A set on the host, so that only batches take memory of a device.

    Args:
        images: `[n, h, w, c]` uint8 or float32 on the 0-255 scale.
        labels: `[n]` integer class numbers.
        normalisation: Normalisation of the network's images.
        protocol: Training protocol.
        sources: Soft labels that the protocol needs.

    Attributes:
        normalise: Function from pixels on the 0-255 scale to the network's input.

    Raises:
        InputError: the labels that the protocol needs are missing, or do not fit.
    """

    def __init__(
        self,
        images: ImageRows,
        labels: np.ndarray,
        normalisation: Normalisation,
        protocol: TrainingProtocol,
        sources: LabelSources,
    ) -> None:
        sources.check(protocol, len(images), images.shape[1:])
        # These references also keep alive the objects that the graphs use.
        self._sources = sources
        self._normalisation = normalisation
        self._protocol = protocol
        self._images: tf.Variable | StoredImages
        with tf.device("CPU:0"):
            if isinstance(images, StoredImages):
                self._images = images
            else:
                self._images = tf.Variable(hold(images), trainable=False)
            self._labels = tf.Variable(labels, trainable=False, dtype=tf.int32)
            self._label_logits = None
            if protocol.labels == "stored":
                self._label_logits = tf.Variable(
                    sources.label_logits, trainable=False, dtype=tf.float32
                )
        self.normalise = normalisation.tensors()
        self._views: Views = DrawnViews(protocol, self.normalise, len(images))
        if protocol.labels == "epochs" and sources.epoch_labels is not None:
            self._views = ReplayedViews(
                sources.epoch_labels, images.shape[1:], self.normalise
            )

    def replace(
        self, images: ImageRows, labels: np.ndarray, label_logits: np.ndarray | None
    ) -> None:
        """Replaces the set by another, see `NetworkTrainer.replace_images`."""
        sources = dataclasses.replace(self._sources, label_logits=label_logits)
        sources.check(self._protocol, len(images), images.shape[1:])
        if isinstance(self._images, StoredImages):
            if images is not self._images:
                raise ValueError("graphs hold images on disk: make another trainer.")
        else:
            self._images.assign(hold(images))
        self._labels.assign(tf.cast(labels, tf.int32))
        if self._label_logits is not None:
            self._label_logits.assign(label_logits)

    def __len__(self) -> int:
        """Returns the number of images."""
        return self._labels.shape[0]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        height, width, channels = self._images.shape[1:]
        return height, width, channels

    def order(self, key: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        """Returns the `[n]` rows of the images in the order of an epoch.

        Args:
            key: `[2]` int32 key of the training.
            epoch: Number of the epoch, scalar int32.
        """
        return self._views.order(key, epoch)

    def batch(
        self,
        rows: tf.Tensor,
        key: tf.Tensor,
        epoch: tf.Tensor,
        index: int | tf.Tensor,
    ) -> tuple[tf.Tensor, View]:
        """Returns the class numbers of a batch, and the batch as the network sees it.

        Args:
            rows: `[b]` int32, rows of the images.
            key: `[2]` int32 key of the batch.
            epoch: Number of the epoch, scalar int32.
            index: Number of the batch in the epoch.
        """
        view = self._views.view(self._images, rows, key, epoch, index)
        labels = tf.gather(self._labels, rows)
        if self._label_logits is not None:
            view = view._replace(label_logits=gather_rows(self._label_logits, rows))
        return labels, view

    def normalised(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns images without augmentation, `[b, h, w, c]` as the network's input.

        Args:
            rows: `[b]` int32, rows of the images.
        """
        return self.normalise(gather_rows(self._images, rows))
