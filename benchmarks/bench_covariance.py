"""DSDM's covariances by Gram matrices, against whole matrices and its iteration."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from bench_groups import Group, Sizes
from timing import Run

from hdd_tf.objectives.covariance import image_covariance, squared_difference


def covariance_group(sizes: Sizes) -> Group:
    """Returns DSDM's iteration, and its covariances alone in two forms."""
    length = sizes.width * (sizes.side >> sizes.depth) ** 2
    generator = np.random.default_rng(0)
    real, synthetic = (
        tf.constant(generator.normal(size=(sizes.classes, count, length)), tf.float32)
        for count in (sizes.real_batch, 4 * sizes.ipc)
    )

    def gram(own: tf.Tensor) -> tf.Tensor:
        return squared_difference(image_covariance(real), image_covariance(own))

    def dense(own: tf.Tensor) -> tf.Tensor:
        def of_class(rows: tf.Tensor) -> tf.Tensor:
            centred = rows - tf.reduce_mean(rows, axis=0)
            product = tf.matmul(centred, centred, transpose_a=True)
            return product / float(rows.shape[0] - 1)

        differences = [
            of_class(real[label]) - of_class(own[label])
            for label in range(sizes.classes)
        ]
        return tf.stack([tf.reduce_sum(tf.square(each)) for each in differences])

    def with_gradient(form: Callable[[tf.Tensor], tf.Tensor]) -> Run:
        @tf.function(autograph=False)
        def both() -> tuple[tf.Tensor, tf.Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(synthetic)
                loss = form(synthetic)
            return loss, tape.gradient(loss, synthetic)

        return lambda: both()[1].numpy()

    iteration = sizes.step(objective="dsdm", geometry="euclidean", dsdm_networks=1)
    return Group(
        {
            "iteration": iteration,
            "Gram matrices": with_gradient(gram),
            "dense": with_gradient(dense),
        },
        [
            ("DSDM's covariances / its iteration", "Gram matrices", "iteration"),
            ("dense covariances / those by Gram matrices", "dense", "Gram matrices"),
        ],
    )
