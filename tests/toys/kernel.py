"""A toy: maximum mean discrepancy with a Gaussian kernel, a discrepancy of its own."""

import dataclasses
from typing import NamedTuple

import tensorflow as tf

from hdd_tf.distillation.classwise import ClasswiseMatching, one_of_named
from hdd_tf.objectives.dm import DistributionMatching
from hdd_tf.objectives.features import FeatureComparison
from tests.toys import attention


class Samples(NamedTuple):
    """All features of each class and their weights: there is nothing to merge."""

    features: tf.Tensor
    weights: tf.Tensor


class KernelDiscrepancy:
    """`|mean k(r, .) - mean k(s, .)|^2` for each class."""

    merges = False

    def __init__(self, bandwidth):
        self._scale = 1.0 / (2.0 * bandwidth**2)

    def summarize(self, features, weights=None):
        if weights is None:
            weights = tf.ones_like(features[..., 0])
        return Samples(features, weights)

    def loss(self, real, synthetic_features):
        expected, weights = (tf.stop_gradient(part) for part in real)
        shares = tf.math.divide_no_nan(
            weights, tf.reduce_sum(weights, axis=-1, keepdims=True)
        )
        own = tf.ones_like(synthetic_features[..., 0])
        own /= float(synthetic_features.shape[1])
        return (
            self._mean(expected, shares, expected, shares)
            - 2.0 * self._mean(expected, shares, synthetic_features, own)
            + self._mean(synthetic_features, own, synthetic_features, own)
        )

    def _mean(self, one, one_shares, other, other_shares):
        squares = [tf.reduce_sum(x * x, axis=-1) for x in (one, other)]
        distances = (
            squares[0][..., :, None]
            + squares[1][..., None, :]
            - 2.0 * tf.matmul(one, other, transpose_b=True)
        )
        kernel = tf.exp(-self._scale * distances)
        return tf.einsum("cn,cnm,cm->c", one_shares, kernel, other_shares)


def build(context):
    comparison = FeatureComparison(context.network, KernelDiscrepancy(20.0))
    objective = DistributionMatching(context.network, context.config.seed)
    return ClasswiseMatching(context, objective, comparison, one_of_named(context))


# A bank would have to keep as many features as there are real images.
TRAITS = dataclasses.replace(
    attention.TRAITS,
    title="Toy kernel",
    summary="features of random networks by a kernel",
    build=build,
    has_geometry=False,
    may_revisit=False,
)
