"""Which synthetic images the steps of a student's training see."""

import tensorflow as tf

from hdd_tf.random_keys import derive_key


def step_rows(key: tf.Tensor, count: int, batch_size: int, steps: int) -> tf.Tensor:
    """Returns the images of each step.

    A permutation of all images is cut into chunks, of which the last comes first, as in
    the authors' program; so a smaller chunk is the first. Then another permutation
    follows.

    Args:
        key: `[2]` int32 key of the permutations.
        count: Number of images n.
        batch_size: Images of a step B, at most n.
        steps: Number of steps N.

    Returns:
        `[N, B]` int32 numbers of images; -1 where a chunk is smaller.
    """
    chunks = -(-count // batch_size)
    passes = -(-steps // chunks)

    def of_pass(index: tf.Tensor) -> tf.Tensor:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(count), derive_key(key, index)
        )
        order = tf.pad(order, [[0, chunks * batch_size - count]], constant_values=-1)
        return tf.reverse(tf.reshape(order, [chunks, batch_size]), axis=[0])

    rows = tf.map_fn(of_pass, tf.range(passes), fn_output_signature=tf.int32)
    return tf.reshape(rows, [passes * chunks, batch_size])[:steps]
