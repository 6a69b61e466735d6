"""Features of the real images of a block of classes, in pieces that fit memory."""

import tensorflow as tf

from hdd_tf.augment import dsa
from hdd_tf.data.class_store import ClassStore
from hdd_tf.networks.functional import FunctionalNetwork


def real_features(
    store: ClassStore,
    network: FunctionalNetwork,
    weights: list[tf.Tensor],
    rows: tf.Tensor,
    parameters: dsa.DSAParameters,
    max_images: int,
) -> tf.Tensor:
    """Augments real images and takes their features, without a gradient.

    Args:
        store: Where the images are.
        network: What features are of.
        weights: Of the network.
        rows: `[b, n]` rows of the store, n images of each of b classes.
        parameters: One draw a class.
        max_images: Most images of one forward pass, >= 1. Where all are more, they go
            in chunks: one class alone can be too many.

    Returns:
        `[b, n, d]` float32.
    """
    num_classes, per_class = rows.shape
    total = num_classes * per_class

    def forward(rows: tf.Tensor, parameters: dsa.DSAParameters) -> tf.Tensor:
        images = dsa.apply(store.gather(rows), parameters, differentiable=False)
        return network.features(weights, tf.reshape(images, [-1, *images.shape[2:]]))

    if total <= max_images:
        features = forward(rows, parameters)
    else:
        num_chunks = -(-total // max_images)
        chunk = -(-total // num_chunks)
        padding = [[0, num_chunks * chunk - total]]
        flat = tf.pad(tf.reshape(rows, [-1]), padding)
        # Each image has its class's augmentation, wherever a chunk begins.
        owner = tf.pad(tf.repeat(tf.range(num_classes), per_class), padding)
        features = tf.map_fn(
            lambda part: forward(part[0][:, None], dsa.gather(parameters, part[1])),
            (
                tf.reshape(flat, [num_chunks, chunk]),
                tf.reshape(owner, [num_chunks, chunk]),
            ),
            fn_output_signature=tf.float32,
            parallel_iterations=1,
        )
        features = tf.reshape(features, [-1, features.shape[-1]])[:total]
    return tf.reshape(features, [num_classes, per_class, features.shape[-1]])
