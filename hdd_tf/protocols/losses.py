"""The losses of training, with classes or with logits as labels.

`tf.nn.softmax_cross_entropy_with_logits` is not used: it has no second derivative in
the labels (tensorflow issue 26495). Gradients of learnt labels through steps of
training would be zero, without a warning.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from hdd_tf.protocols.training_protocol import TrainingProtocol


class Mixing(NamedTuple):
    """The mixing of a batch's images.

    Attributes:
        partner: `[n]` int32, batch position of the image that is mixed into each image.
        share: Scalar float32 in [0, 1], the part of each image that is its own.
    """

    partner: tf.Tensor
    share: tf.Tensor


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns the scalar mean cross-entropy with classes.

    Args:
        labels: `[n]` int32 class numbers.
        logits: `[n, C]` float logits.
    """
    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    )


def soft_cross_entropy(label_logits: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns `[n]` values -sum(softmax(label_logits) log_softmax(logits)).

    Args:
        label_logits: `[n, C]` float logits of the labels; gradients of any order reach
            them.
        logits: `[n, C]` logits of the same dtype.
    """
    return -tf.reduce_sum(
        tf.nn.softmax(label_logits) * tf.nn.log_softmax(logits), axis=-1
    )


def kl_divergence(
    label_logits: tf.Tensor, logits: tf.Tensor, temperature: float
) -> tf.Tensor:
    """Returns `[n]` values KL(softmax(label_logits / T) || softmax(logits / T)).

    Args:
        label_logits: `[n, C]` float logits of the labels.
        logits: `[n, C]` logits of the same dtype.
        temperature: Temperature T > 0.

    Source: Sun et al., "On the Diversity and Realism of Distilled Dataset" (RDED), CVPR
    2024, and its released program, which omits the usual factor T^2.
    """
    log_target = tf.nn.log_softmax(label_logits / temperature)
    log_found = tf.nn.log_softmax(logits / temperature)
    return tf.reduce_sum(tf.exp(log_target) * (log_target - log_found), axis=-1)


def squared_error(label_logits: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns `[n]` values, the mean over the classes of (logits - label_logits)^2.

    Args:
        label_logits: `[n, C]` float logits of the labels.
        logits: `[n, C]` logits of the same dtype.

    Source: Shao et al., "Generalized Large-Scale Data Condensation via Various Backbone
    and Statistical Matching" (G-VBSM), CVPR 2024.
    """
    return tf.reduce_mean(tf.square(logits - label_logits), axis=-1)


# Name -> (label logits, logits, temperature) -> [n].
SOFT_LOSSES: dict[str, Callable[[tf.Tensor, tf.Tensor, float], tf.Tensor]] = {
    "soft": lambda labels, logits, _: soft_cross_entropy(labels, logits),
    "kl": kl_divergence,
    "mse": lambda labels, logits, _: squared_error(labels, logits),
}


def batch_loss(
    protocol: TrainingProtocol,
    labels: tf.Tensor,
    label_logits: tf.Tensor | None,
    mixing: Mixing | None,
    logits: tf.Tensor,
) -> tf.Tensor:
    """Returns the scalar loss of a batch.

    Labels that belong to an image are mixed like the images: the loss with an image's
    own label counts `share`, and the loss with its partner's label 1 - `share`. Labels
    of the mixed images themselves are not mixed. The hard part of a soft loss uses the
    class of the base image, whatever was mixed in (as in G-VBSM's released program).

    Args:
        protocol: Training protocol, of which `loss`, `labels`, `temperature` and
            `hard_weight` are used.
        labels: `[n]` int32 class numbers.
        label_logits: `[n, C]` logits of the soft labels; None for the hard loss.
        mixing: Mixing of the images, or None.
        logits: `[n, C]` logits of the network.
    """
    if label_logits is None:
        loss = cross_entropy(labels, logits)
        if mixing is not None:
            foreign = cross_entropy(tf.gather(labels, mixing.partner), logits)
            loss = mixing.share * loss + (1.0 - mixing.share) * foreign
        return loss
    soft_loss, temperature = SOFT_LOSSES[protocol.loss], protocol.temperature
    loss = tf.reduce_mean(soft_loss(label_logits, logits, temperature))
    if mixing is not None and protocol.labels == "stored":
        others = tf.gather(label_logits, mixing.partner)
        foreign = tf.reduce_mean(soft_loss(others, logits, temperature))
        loss = mixing.share * loss + (1.0 - mixing.share) * foreign
    if protocol.hard_weight:
        loss += protocol.hard_weight * cross_entropy(labels, logits)
    return loss
