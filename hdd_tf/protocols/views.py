"""Views of a set in training: the order of the images, and the augmented batches.

Views are either drawn by a protocol's augmentation and mixing, or replayed as a set's
`EpochLabels` describe them.
"""

import abc
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hdd_tf.augment import (
    cell_shuffle,
    cutmix,
    dsa,
    mixup,
    padded_crop,
    resized_crop,
)
from hdd_tf.data.epoch_labels import EpochLabels
from hdd_tf.data.image_rows import gather_rows
from hdd_tf.data.stored_images import StoredImages
from hdd_tf.protocols.losses import Mixing
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.random_keys import Purpose, derive_key

# The streams of random numbers under an update's key; DSA uses the key itself.
_MIXING, _CROP, _FLIP, _CELLS = 1, 2, 3, 4


class View(NamedTuple):
    """A batch as a network sees it.

    Attributes:
        images: `[n, h, w, c]` float32 normalised images.
        mixing: Mixing of the images, or None.
        label_logits: `[n, C]` float32 stored logits of this view, or None.
    """

    images: tf.Tensor
    mixing: Mixing | None = None
    label_logits: tf.Tensor | None = None


class Views(abc.ABC):
    """The order of the images and the batches of a training."""

    @abc.abstractmethod
    def order(self, key: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        """Returns the `[n]` int32 image numbers of an epoch, in the order of use.

        Args:
            key: `[2]` int32 key of the training.
            epoch: Number of the epoch, scalar int32.
        """

    @abc.abstractmethod
    def view(
        self,
        images: tf.Variable | StoredImages,
        rows: tf.Tensor,
        key: tf.Tensor,
        epoch: tf.Tensor,
        index: int | tf.Tensor,
    ) -> View:
        """Returns a batch.

        Args:
            images: `[n, h, w, c]` images of the whole set on the 0-255 scale.
            rows: `[b]` int32 rows of the batch's images in the set.
            key: `[2]` int32 key of the update.
            epoch: Number of the epoch, scalar int32.
            index: Number of the batch in its epoch.
        """


class DrawnViews(Views):
    """Views drawn by a protocol's augmentation and mixing.

    Args:
        protocol: The training protocol.
        normalise: Function from pixels on the 0-255 scale to the network's input.
        num_images: Number of images n of the set.
    """

    def __init__(
        self,
        protocol: TrainingProtocol,
        normalise: Callable[[tf.Tensor], tf.Tensor],
        num_images: int,
    ) -> None:
        self._protocol = protocol
        self._normalise = normalise
        self._num_images = num_images

    def order(self, key: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        """Returns a fresh permutation."""
        order_key = derive_key(key, Purpose.EVALUATION_ORDER, epoch)
        return tf.random.experimental.stateless_shuffle(
            tf.range(self._num_images), order_key
        )

    def view(
        self,
        images: tf.Variable | StoredImages,
        rows: tf.Tensor,
        key: tf.Tensor,
        epoch: tf.Tensor,
        index: int | tf.Tensor,
    ) -> View:
        """Returns a batch, whose random numbers depend on the update's key alone."""
        del epoch, index
        protocol = self._protocol
        batch = self._normalise(self._geometry(gather_rows(images, rows), key))
        if protocol.always or protocol.augmentations:
            count, height, width, _ = batch.shape
            parameters = dsa.draw(
                key,
                count,
                height,
                width,
                always=protocol.always,
                one_of=protocol.augmentations,
                same_choice=True,
            )
            batch = dsa.apply(batch[:, None], parameters, differentiable=False)[:, 0]
        if not protocol.mixes:
            return View(batch)
        mixing_key = derive_key(key, _MIXING)
        if protocol.mixing == "mixup":
            mixed = mixup.mix(batch, mixing_key, protocol.cutmix, protocol.mixup_alpha)
        else:
            mixed = cutmix.mix(batch, mixing_key, protocol.cutmix)
        return View(mixed.images, Mixing(mixed.partner, mixed.share))

    def _geometry(self, pixels: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """Shuffles cells, crops and mirrors images, as far as the protocol says."""
        protocol = self._protocol
        count, height, width, _ = pixels.shape
        if protocol.shuffled_cells > 1:
            pixels = cell_shuffle.shuffle_cells(
                pixels, derive_key(key, _CELLS), protocol.shuffled_cells
            )
        if protocol.padded_crop:
            offsets = padded_crop.draw_offsets(
                derive_key(key, _CROP), count, protocol.padded_crop
            )
            pixels = padded_crop.crop_padded(pixels, offsets, protocol.padded_crop)
        flips = None
        if protocol.flip:
            flips = resized_crop.draw_flips(derive_key(key, _FLIP), count)
        if protocol.resized_crop < 1:
            boxes = resized_crop.draw_boxes(
                derive_key(key, _CROP), count, height, width, protocol.resized_crop
            )
            return resized_crop.resize_boxes(
                tf.cast(pixels, tf.float32), boxes, height, width, flips
            )
        return pixels if flips is None else resized_crop.flip_images(pixels, flips)


class ReplayedViews(Views):
    """Views exactly as a set's `EpochLabels` describe them.

    After the last stored epoch, the views start again with the first.

    Args:
        labels: Labels of every view in a number of epochs.
        image_shape: Height, width and channels of the images.
        normalise: Function from pixels on the 0-255 scale to the network's input.
    """

    def __init__(
        self,
        labels: EpochLabels,
        image_shape: tuple[int, ...],
        normalise: Callable[[tf.Tensor], tf.Tensor],
    ) -> None:
        self._normalise = normalise
        self._num_epochs = labels.num_epochs
        self._batch_size = labels.batch_size
        height, width, _ = image_shape
        self._crops = bool((labels.boxes != (0, 0, height, width)).any())
        self._flips_any = bool(labels.flips.any())
        top, left, bottom, right = np.moveaxis(labels.cuts, -1, 0)
        self._cuts_any = bool(((bottom > top) & (right > left)).any())
        with tf.device("CPU:0"):
            self._rows = tf.constant(labels.rows)
            self._boxes = tf.constant(labels.boxes)
            self._flips = tf.constant(labels.flips)
            self._partners = tf.constant(labels.partners)
            self._cuts = tf.constant(labels.cuts)
            self._logits = tf.constant(labels.logits)

    def order(self, key: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        """Returns the stored order of an epoch."""
        del key
        with tf.device("CPU:0"):
            return tf.gather(self._rows, epoch % self._num_epochs)

    def view(
        self,
        images: tf.Variable | StoredImages,
        rows: tf.Tensor,
        key: tf.Tensor,
        epoch: tf.Tensor,
        index: int | tf.Tensor,
    ) -> View:
        """Returns the stored view of a batch, with its labels."""
        del key
        epoch, (count,) = epoch % self._num_epochs, rows.shape
        start = index * self._batch_size

        def stored(values: tf.Tensor) -> tf.Tensor:
            with tf.device("CPU:0"):
                part = values[epoch, start : start + count]
            return tf.ensure_shape(part, [count, *values.shape[2:]])

        pixels = gather_rows(images, rows)
        _, height, width, _ = pixels.shape
        if self._crops:
            pixels = resized_crop.resize_boxes(
                tf.cast(pixels, tf.float32),
                stored(self._boxes),
                height,
                width,
                stored(self._flips),
            )
        elif self._flips_any:
            pixels = resized_crop.flip_images(pixels, stored(self._flips))
        batch, mixing = self._normalise(pixels), None
        if self._cuts_any:
            with tf.device("CPU:0"):
                cut = tf.cast(self._cuts[epoch, index], tf.int32)
            mixed = cutmix.paste(batch, stored(self._partners), cut)
            batch, mixing = mixed.images, Mixing(mixed.partner, mixed.share)
        logits = tf.cast(stored(self._logits), tf.float32)
        return View(batch, mixing, logits)
