"""The interface of a comparison of real and synthetic images in class-wise matching.

A comparison gets the weights of a pass and summarises the real images of a block of
classes, without a gradient. Then it computes the loss of the classes' synthetic images
against that summary. A bank of real images stores summaries (bank/real_bank.py).
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from hdd_tf.distillation.objective import Pass


def add_parts(parts: Any) -> Any:
    """Returns the sums of results of p parts of each class, `[b, p, ...]`."""
    return tf.nest.map_structure(lambda x: tf.reduce_sum(x, axis=1), parts)


class SyntheticBatch(NamedTuple):
    """Augmented synthetic images of a block of classes.

    Attributes:
        images: `[b, m, h, w, c]` float32 images, decoded and normalised.
        labels: `[b]` int32 class numbers.
    """

    images: tf.Tensor
    labels: tf.Tensor


class RealBatch(Protocol):
    """Augmented real images of a block of classes, which memory may not hold at once.

    Attributes:
        labels: `[b]` int32 class numbers.
        weights: `[b, n]` float32 weights of the images; 0 if the class has no further
            image, else 1.
    """

    labels: tf.Tensor
    weights: tf.Tensor

    def map(self, per_image: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """Applies a function of single images, in chunks that fit memory.

        Args:
            per_image: Function from images `[k, h, w, c]` to `[k, ...]` float32. Its
                value of an image must not depend on the other images. It takes no
                gradients.

        Returns:
            `[b, n, ...]` float32 values.
        """

    def map_classes(
        self,
        per_class: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], Any],
        signature: Any,
        join: Callable[[Any], Any] = add_parts,
    ) -> Any:
        """Applies a function of whole classes, one class after the other.

        Args:
            per_class: Function from images `[n, h, w, c]`, their weights `[n]` and the
                label `[]` of one class to float32 tensors. A class that is too large
                for one pass is processed in parts, whose results are joined. It may
                take gradients, but none of these.
            signature: The `tf.TensorSpec` of each tensor of the result.
            join: Function from the results of p parts of each class, tensors
                `[b, p, ...]`, to the class's, `[b, ...]`. By default they are added, so
                a result must be a weighted sum over the images.

        Returns:
            Tensors `[b, ...]`, structured like `signature`.
        """


class Comparison(Protocol):
    """Summarises each class's real images, and compares synthetic ones with them.

    Attributes:
        merges: True if summaries of parts of a class can be merged to the summary of
            the class (`Merging`), as a bank over all images does. `ClassMatching` never
            splits a class.
    """

    merges: bool

    def summarize(self, work: Pass, real: RealBatch) -> Any:
        """Returns the summary of a block's real images.

        Args:
            work: The pass, with the network's weights.
            real: The real images.

        Returns:
            A NamedTuple of float32 tensors `[b, ...]`, whose shapes do not depend on
            the iteration.
        """

    def loss(self, work: Pass, real: Any, synthetic: SyntheticBatch) -> tf.Tensor:
        """Returns the loss of each class, `[b]` float32.

        A loss that is made of gradients computes them within `differentiated(2)`
        (distributed/compilation.py).

        Args:
            work: The pass, with the network's weights.
            real: Summary of the real images, to which no gradient flows; not used if
                `work.compare` is False.
            synthetic: The synthetic images, to which the gradient flows.
        """

    def empty_summary(self, num_classes: int) -> Any:
        """Returns a summary of zero features, with the shapes of all summaries.

        Args:
            num_classes: Leading dimension of the summary's tensors.
        """


class Merging(Protocol):
    """What a comparison, or a discrepancy of vectors, has besides if it `merges`."""

    def merge(self, parts: Any) -> Any:
        """Returns the summary of the union of parts, exactly.

        Args:
            parts: Summaries of p parts of each class, whose tensors are stacked to
                `[p, b, ...]`.

        Returns:
            The summary of whole classes, tensors `[b, ...]`.
        """


class Discrepancy(Protocol):
    """The distance of a class's synthetic vectors from its real vectors.

    Attributes:
        merges: True if summaries of parts of a class can be merged, see `Merging`.
    """

    merges: bool

    def summarize(self, features: tf.Tensor, weights: tf.Tensor | None = None) -> Any:
        """Returns the summary of each class's vectors.

        Args:
            features: `[c, n, d]` vectors of n images of each class.
            weights: `[c, n]` weights >= 0; None for weights of 1.

        Returns:
            A NamedTuple of float32 tensors `[c, ...]`.
        """

    def loss(self, real: Any, synthetic_features: tf.Tensor) -> tf.Tensor:
        """Returns the loss of each class.

        Args:
            real: Summary of the real vectors; no gradient flows to it.
            synthetic_features: `[c, m, d]` vectors of m images of each class.

        Returns:
            `[c]` losses.
        """


class Learner(Protocol):
    """What a comparison learns beside the images, such as curvatures.

    A learner is a `tf.Module`, whose variables are saved with the run. After the update
    of the images of a pass with comparison, it gets facts of all classes.

    Attributes:
        num_facts: Number k of facts of a class.
        bank_remedy: Settings with which summaries of real images stay as they are, so
            that a bank can keep them; empty if they do not depend on the variables.
    """

    num_facts: int
    bank_remedy: str

    def learn(self, facts: tf.Tensor) -> None:
        """Updates the variables; called outside `strategy.run`.

        Args:
            facts: `[C, k]` float32 facts of all classes, the same in every process.
        """


class Learning(Protocol):
    """What a comparison that learns has besides.

    Attributes:
        learner: What learns.
    """

    learner: Learner

    def loss_and_facts(
        self, work: Pass, real: Any, synthetic: SyntheticBatch
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns `Comparison.loss`, and the facts `[b, k]` of the learner.

        No gradient flows to the facts.
        """


def learner_of(comparison: Any) -> Learner | None:
    """Returns what learns in a comparison, or in a discrepancy of vectors, if any."""
    return getattr(comparison, "learner", None)
