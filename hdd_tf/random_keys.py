"""Keys for TensorFlow's stateless random operations.

Every random draw of the program is a pure function of a key, and every key of (run
seed, purpose, iteration, ...). So a run repeats exactly, resumes exactly, and draws
the same numbers on every replica. Nothing reads the clock.
"""

import enum

import tensorflow as tf


class Purpose(enum.IntEnum):
    """What a stream of random numbers is for; the values are part of a run's identity.

    Append only: renumbering changes what a seed means.
    """

    NETWORK = 0
    REAL_BATCH = 1
    AUGMENTATION = 2
    INITIAL_IMAGES = 3
    EVALUATION_NETWORK = 4
    EVALUATION_ORDER = 5
    EVALUATION_AUGMENTATION = 6
    VALIDATION_SPLIT = 7
    RANDOM_BASELINE = 8
    POOL_NETWORK = 9
    POOL_MATCHED = 10
    POOL_TRAINED = 11
    POOL_BATCH = 12
    EXPERT = 13
    MIDDLE_ENCODER = 14
    DECODED_SUBSET = 15
    CORESET_NETWORK = 16
    CORESET_TIES = 17
    ANALYSIS_IMAGES = 18
    PRUNING = 19
    INNER_TRAINING = 20
    TRAINED_NETWORK = 21
    PROTOTYPE_AUGMENTATION = 22
    WATCHED_IMAGES = 40
    SET_EPOCH = 41
    GENERATIVE_BATCH = 50
    LATENTS = 51
    LATENT_ORDER = 52
    DIFFUSION = 53
    LATENT_CENTRES = 54
    CROPPED_IMAGES = 60
    CROPS = 61
    REAL_STATISTICS = 70
    EPOCH_LABELS = 71
    TRAJECTORY_EPOCH = 80
    TRAJECTORY_ORDER = 81
    TRAJECTORY_STEPS = 82
    TRAJECTORY_IMAGES = 83


def derive_key(key: int | tf.Tensor, *path: int | tf.Tensor) -> tf.Tensor:
    """Derives the key of one stream of random numbers.

    Args:
        key: Run seed (an integer) or a key to derive further from.
        *path: Integers (Python or scalar tensors) that name the stream, such as
            `Purpose.NETWORK, iteration`.

    Returns:
        `[2]` int32 tensor, a seed for `tf.random.stateless_*`.
    """
    if isinstance(key, int):
        # The seed's upper half too, so that 64-bit seeds are all different.
        low, high = key & 0x7FFFFFFF, (key >> 31) & 0x7FFFFFFF
        key = tf.constant([low, high], tf.int32)
    for step in path:
        data = tf.cast(int(step) if isinstance(step, int) else step, tf.int32)
        key = tf.random.experimental.stateless_fold_in(key, data)
    return key
