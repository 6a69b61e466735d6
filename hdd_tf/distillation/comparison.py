"""What class-wise matching asks of a comparison of real and synthetic images.

A comparison is told which weights a pass has, summarises the real images of a block of
classes without a gradient, and then gives the loss of their synthetic images against
that summary. A summary is what a bank of real images keeps (real_bank.py).
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from hdd_tf.distillation.objective import Pass


class SyntheticBatch(NamedTuple):
    """Augmented synthetic images of a block of classes.

    Attributes:
        images: `[b, m, h, w, c]`, decoded and normalised.
        labels: `[b]` int32.
    """

    images: tf.Tensor
    labels: tf.Tensor


class RealBatch(Protocol):
    """Augmented real images of a block of classes, which may not fit memory at once.

    Attributes:
        labels: `[b]` int32.
        weights: `[b, n]` float32, 0 where a class has no image left.
    """

    labels: tf.Tensor
    weights: tf.Tensor

    def map(self, per_image: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """Applies a function of single images, in chunks that fit memory.

        Args:
            per_image: From images `[k, h, w, c]` to `[k, ...]` float32; what it says of
                an image must not depend on the others.

        Returns:
            `[b, n, ...]`.
        """

    def map_classes(
        self,
        per_class: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], Any],
        signature: Any,
    ) -> Any:
        """Applies a function of whole classes, one class after the other.

        Args:
            per_class: From images `[n, h, w, c]`, their weights `[n]` and the label
                `[]` of one class to float32 tensors. Its result must be a sum over the
                images, each counted by its weight: a class that is too many for one
                pass comes in parts, and their results are added.
            signature: The `tf.TensorSpec` of each tensor of its result.

        Returns:
            `[b, ...]`, structured as `signature`.
        """


class Comparison(Protocol):
    """Summarises the real images of each class, and sets synthetic ones against that.

    Attributes:
        merges: Whether summaries of parts of a class can be merged to that of the whole
            class, so that whoever splits a class over chunks, blocks or replicas may.
            `ClassMatching` never does: it sees a class whole, on one replica.
    """

    merges: bool

    def summarize(self, work: Pass, real: RealBatch) -> Any:
        """Returns the summary of a block's real images, a NamedTuple.

        Args:
            work: The pass, which says the network's weights.
            real: The images.

        Returns:
            Float32 tensors `[b, ...]`, of shapes that do not depend on the iteration.
        """

    def loss(self, work: Pass, real: Any, synthetic: SyntheticBatch) -> tf.Tensor:
        """Returns the loss of each class, `[b]` float32.

        Args:
            work: The pass.
            real: The summary, to which no gradient flows; not used where `work.compare`
                is false.
            synthetic: The images, through which the gradient goes.
        """

    def empty_summary(self, num_classes: int) -> Any:
        """Returns a summary `[num_classes, ...]` of zeros, for what stores them."""
