"""A step of a student's training on synthetic images, and its second derivatives."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.objectives.trajectories.flat_weights import FlatWeights
from hdd_tf.protocols.losses import soft_cross_entropy


class Part(NamedTuple):
    """The images of a step that are computed at once.

    Attributes:
        images: `[b, h, w, c]` stored images.
        labels: `[b]` int32 class numbers, or `[b, C]` logits of soft labels.
        weights: `[b]` share of each image in the step's mean; 0 is padding.
        augmentation: Parameters of b groups; None for no augmentation.
    """

    images: tf.Tensor
    labels: tf.Tensor
    weights: tf.Tensor
    augmentation: dsa.DSAParameters | None


def learnt_of(images: tf.Tensor, labels: tf.Tensor) -> list[tf.Tensor]:
    """Returns what a method learns: images, and labels if these are logits."""
    return [images, labels] if labels.dtype.is_floating else [images]


class Student:
    """The loss of a step as a function of one vector of weights.

    The loss is a sum over images, as no norm mixes images. So the results of parts of a
    batch add up to those of the batch.

    Args:
        logits: Function of weights and images `[b, h, w, c]` to the logits `[b, C]`.
        flat: Order of the weights.
    """

    def __init__(
        self,
        logits: Callable[[list[tf.Tensor], tf.Tensor], tf.Tensor],
        flat: FlatWeights,
    ) -> None:
        self._logits = logits
        self._flat = flat

    def gradient(self, theta: tf.Tensor, part: Part) -> tf.Tensor:
        """Returns the derivative `[P]` of a part's loss by the weights `[P]`."""
        seen = _augmented(part.images, part.augmentation, differentiable=False)
        return self._gradient(theta, seen, part.labels, part.weights)

    def pull(self, theta: tf.Tensor, adjoint: tf.Tensor, part: Part) -> list[tf.Tensor]:
        """Returns phi = adjoint . gradient, and its derivatives.

        Args:
            theta: `[P]` weights.
            adjoint: `[P]` constant vector.
            part: The images.

        Returns:
            phi `[]`, and its derivatives by the weights `[P]`, by the images
            `[b, h, w, c]`, and by the labels `[b, C]` if these are logits.
        """
        watched = [theta, *learnt_of(part.images, part.labels)]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(watched)
            seen = _augmented(part.images, part.augmentation, differentiable=True)
            gradient = self._gradient(theta, seen, part.labels, part.weights)
            phi = tf.reduce_sum(adjoint * gradient)
        return [phi, *tape.gradient(phi, watched)]

    def _gradient(
        self, theta: tf.Tensor, images: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor
    ) -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(theta)
            logits = self._logits(self._flat.split(theta), images)
            if labels.dtype.is_floating:
                losses = soft_cross_entropy(labels, logits)
            else:
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_sum(weights * losses)
        return tape.gradient(loss, theta)


def _augmented(images: tf.Tensor, parameters: Any, differentiable: bool) -> tf.Tensor:
    """Returns images `[b, h, w, c]`, each a group of its own, augmented."""
    return dsa.apply(images[:, None], parameters, differentiable)[:, 0]
