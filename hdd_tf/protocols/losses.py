"""The losses of training, with classes or with logits as labels.

`tf.nn.softmax_cross_entropy_with_logits` is not used: it has no second derivative in
the labels (tensorflow issue 26495), so gradients of learnt labels through steps of
training would be zero, and nothing would say so.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from hdd_tf.protocols.training_protocol import TrainingProtocol


class Mixing(NamedTuple):
    """How the images of a batch are mixed.

    Attributes:
        partner: `[n]` int32, the image that is mixed into each.
        share: Scalar float32, the part of each image that is its own.
    """

    partner: tf.Tensor
    share: tf.Tensor


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns the scalar mean cross-entropy with classes.

    Args:
        labels: `[n]` int32.
        logits: `[n, C]` float.
    """
    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    )


def soft_cross_entropy(label_logits: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns `[n]`: -sum(softmax(labels) log_softmax(logits)).

    Args:
        label_logits: `[n, C]` float; gradients of any order reach them.
        logits: `[n, C]` of the same dtype.
    """
    return -tf.reduce_sum(
        tf.nn.softmax(label_logits) * tf.nn.log_softmax(logits), axis=-1
    )


def kl_divergence(
    label_logits: tf.Tensor, logits: tf.Tensor, temperature: float
) -> tf.Tensor:
    """Returns `[n]`: KL(softmax(labels / T) || softmax(logits / T)), without T^2.

    Args:
        label_logits: `[n, C]` float.
        logits: `[n, C]` of the same dtype.
        temperature: T > 0.

    Source: Sun et al., "On the Diversity and Realism of Distilled Dataset" (RDED), CVPR
    2024, and its released program, which leaves the usual factor T^2 out.
    """
    log_target = tf.nn.log_softmax(label_logits / temperature)
    log_found = tf.nn.log_softmax(logits / temperature)
    return tf.reduce_sum(tf.exp(log_target) * (log_target - log_found), axis=-1)


def squared_error(label_logits: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns `[n]`: the mean over the classes of (logits - labels)^2.

    Args:
        label_logits: `[n, C]` float.
        logits: `[n, C]` of the same dtype.

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

    Labels that belong to an image are mixed as the images are: the loss with the own
    label times `share`, and that with the partner's times 1 - `share`. Labels of the
    mixed images themselves are not. The hard part beside a soft loss takes the class of
    the base image, whatever was mixed in (as in G-VBSM's released program).

    Args:
        protocol: `loss`, `labels`, `temperature` and `hard_weight` count.
        labels: `[n]` int32, the classes.
        label_logits: `[n, C]` soft labels; None for the hard loss.
        mixing: How the images are mixed; None: they are not.
        logits: `[n, C]`, what the network says.
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
