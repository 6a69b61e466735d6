"""MixUp: every image becomes a weighted mean of itself and another image of the batch.

Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018.
"""

import tensorflow as tf

from hdd_tf.augment.cutmix import Mixed
from hdd_tf.random_keys import derive_key

# The streams of random numbers under a draw's key.
_SWITCH, _OWN, _FOREIGN, _PARTNER = range(4)
# Added to Gamma variates: those of a small alpha round to 0, and 0 / 0 is no share.
_SMALLEST = 1e-30


def mix(images: tf.Tensor, key: tf.Tensor, probability: float, alpha: float) -> Mixed:
    """Mixes a batch with one share for all images, or leaves the batch unchanged.

    Args:
        images: `[n, h, w, c]` float32 tensor.
        key: `[2]` int32 key; the draw depends on the key alone.
        probability: Probability that the batch is mixed, in [0, 1].
        alpha: Parameter of the distribution Beta(alpha, alpha) of an image's own share,
            > 0.

    Returns:
        The batch, its partners and its share.
    """
    own, foreign = (
        tf.random.stateless_gamma([], derive_key(key, stream), alpha) + _SMALLEST
        for stream in (_OWN, _FOREIGN)
    )
    on = tf.random.stateless_uniform([], derive_key(key, _SWITCH)) < probability
    share = tf.where(on, own / (own + foreign), 1.0)
    partner = tf.random.experimental.stateless_shuffle(
        tf.range(tf.shape(images)[0]), derive_key(key, _PARTNER)
    )
    mixed = share * images + (1.0 - share) * tf.gather(images, partner)
    return Mixed(tf.where(on, mixed, images), partner, share)
