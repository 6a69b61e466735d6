"""M3D's kernel over all pairs of features, beside its whole iteration."""

import numpy as np
import tensorflow as tf
from bench_groups import Group, Sizes

from hdd_tf.objectives.kernel import KernelDiscrepancy, adaptive, squared_distances


def kernel_group(sizes: Sizes) -> Group:
    """Returns M3D's iteration, and its kernel with the gradient alone."""
    length = sizes.width * (sizes.side >> sizes.depth) ** 2
    generator = np.random.default_rng(0)
    # Each synthetic image is four training images.
    real, synthetic = (
        tf.constant(generator.normal(size=(sizes.classes, count, length)), tf.float32)
        for count in (sizes.real_batch, 4 * sizes.ipc)
    )
    kernel = KernelDiscrepancy(squared_distances, adaptive)

    @tf.function(autograph=False)
    def gradient() -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(synthetic)
            loss = kernel.loss(kernel.summarize(real), synthetic)
        return tape.gradient(loss, synthetic)

    return Group(
        {
            "iteration": sizes.step(objective="m3d", geometry="euclidean"),
            "kernel": lambda: gradient().numpy(),
        },
        [("M3D's kernel / its iteration", "kernel", "iteration")],
    )
