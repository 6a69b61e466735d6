"""Crops of real images, and how sure a trained network is of each."""

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hdd_tf.augment import resized_crop
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.networks.teacher import Teacher

# Smallest share of an image's area; the program's flag for it has no effect.
_SMALLEST_SHARE = 0.08
# Weights of a resized pixel add up to one but for rounding, which truncation to eight
# bits would turn into a level.
_ROUNDING = 1e-3


class Crops(NamedTuple):
    """Crops of real images, one of each.

    Attributes:
        images: `[n]` positions of the images.
        numbers: `[n]`, which crop of its image each is.
    """

    images: np.ndarray
    numbers: np.ndarray


def draw_crops(
    key: tf.Tensor, images: int, crops: int, height: int, width: int
) -> np.ndarray:
    """Draws crops of each image, with the image's own ratio of sides.

    Args:
        key: `[2]` int32 key; the draw depends on the key alone.
        images: Number of images.
        crops: Number of crops of each.
        height: Rows of the images.
        width: Columns of the images.

    Returns:
        `[images, crops, 4]` int32: top, left, height and width in pixels.
    """
    ratio = width / height
    boxes = resized_crop.draw_boxes(
        key, images * crops, height, width, _SMALLEST_SHARE, (ratio, ratio)
    )
    return boxes.numpy().reshape(images, crops, 4)


def best_crops(scores: np.ndarray, count: int) -> Crops:
    """Returns the images whose best crops have the lowest scores, lowest first.

    A confident network gives many crops the same score, 0 in float32. Of those the
    first image, and of an image the first crop, comes first.

    Args:
        scores: `[n, m]` scores of m crops of each image.
        count: Number of crops to return.
    """
    best = np.argmin(scores, axis=1)
    lowest = scores[np.arange(len(scores)), best]
    order = np.argsort(lowest, kind="stable")[:count]
    return Crops(order, best[order])


class CropScorer:
    """Scores crops by the cross-entropy of a trained network with their class.

    A crop smaller than the network's images lies in the middle of a canvas of zeros in
    normalised space.

    Args:
        observer: The trained network.
        normalisation: Normalisation of its images.
        cell: Height and width that crops are resized to.
        most: Largest number of crops of a forward pass.

    Attributes:
        logits: The observer, traced once: normalised images `[n, h, w, c]` to `[n, C]`.
    """

    def __init__(
        self,
        observer: Teacher,
        normalisation: Normalisation,
        cell: tuple[int, int],
        most: int,
    ) -> None:
        self.logits = observer.logits_function()
        self._normalise = normalisation.tensors()
        self._shape = observer.image_shape
        self._cell, self._most = cell, most
        # TensorFlow counts traces by the code; a partial has a count of its own.
        self._score_block = tf.function(
            functools.partial(self._scores_of_block), autograph=False,
            input_signature=[
                tf.TensorSpec([None, *self._shape], tf.uint8),
                tf.TensorSpec([None, None, 4], tf.int32),
                tf.TensorSpec([], tf.int32),
            ],
        )  # fmt: skip

    def scores(self, images: np.ndarray, boxes: np.ndarray, label: int) -> np.ndarray:
        """Returns `[n, m]` float32 scores of the crops, >= 0; a low one is good.

        Args:
            images: `[n, h, w, c]` uint8.
            boxes: `[n, m, 4]` int32 crops of each image.
            label: Class of all images.
        """
        step = max(1, self._most // boxes.shape[1])
        parts = [
            self._score_block(
                images[start : start + step], boxes[start : start + step], label
            ).numpy()
            for start in range(0, len(images), step)
        ]
        return np.concatenate(parts)

    def score(self, crops: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
        """Returns `[n]` float32 scores.

        Args:
            crops: `[n, h, w, c]` float32 crops of the cell's size, from 0 to 255.
            label: Class of all crops, scalar int32.
        """
        logits = self.logits(self.on_canvas(crops))
        labels = tf.fill([tf.shape(crops)[0]], label)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)

    def on_canvas(self, crops: tf.Tensor) -> tf.Tensor:
        """Returns crops as the network sees them, `[n, h, w, c]` normalised.

        Args:
            crops: As in `score`.
        """
        missing = [
            whole - part
            for whole, part in zip(self._shape[:2], self._cell, strict=True)
        ]
        around = [[gap // 2, gap - gap // 2] for gap in missing]
        return tf.pad(self._normalise(crops), [[0, 0], *around, [0, 0]])

    def cut(self, images: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Returns crops of the cell's size, `[n, h, w, c]` uint8, truncated.

        Args:
            images: `[n, h, w, c]` uint8.
            boxes: `[n, 4]` int32, one crop of each.
        """
        pixels = tf.cast(images, tf.float32)
        resized = resized_crop.resize_boxes(pixels, boxes, *self._cell)
        return tf.cast(tf.minimum(resized + _ROUNDING, 255.0), tf.uint8).numpy()

    def _scores_of_block(
        self, images: tf.Tensor, boxes: tf.Tensor, label: tf.Tensor
    ) -> tf.Tensor:
        count = tf.shape(boxes)[1]
        pixels = tf.repeat(tf.cast(images, tf.float32), count, axis=0)
        crops = resized_crop.resize_boxes(
            pixels, tf.reshape(boxes, [-1, 4]), *self._cell
        )
        return tf.reshape(self.score(crops, label), [-1, count])
