"""How far the last bit of images moves the gradients of a ConvNet with ReLU or sigmoid.

    python benchmarks/rounding_and_relu.py

Runs on other devices, processes or sizes of a pass add in another order, so their
images differ in the last bit after an iteration. Where that puts a value on the other
side of ReLU's corner, the gradient of that image jumps; a smooth activation has none.
"""

import argparse

import numpy as np
import tensorflow as tf

from hdd_tf.networks.convnet import build_convnet

LAST_BIT = float(np.finfo(np.float32).eps)
# Of the largest gradient: ten times what rounding alone makes of it here.
ROUNDING = 1e-5


def changes(
    activation: str, seed: int, num_images: int, side: int, width: int
) -> np.ndarray:
    """Returns the largest change `[n]` of each image's gradient, of the largest value.

    Args:
        activation: Key of `networks.plain_layers.ACTIVATIONS`.
        seed: Of the network and of the images, which are noise.
        num_images: Number of images n.
        side: Height and width of the images, in pixels.
        width: Channels of each of the network's 3 blocks.
    """
    tf.keras.utils.set_random_seed(seed)
    network = build_convnet((side, side, 3), 10, 3, width, activation=activation)
    images = tf.random.normal((num_images, side, side, 3))
    moved = tf.cast(tf.random.uniform(images.shape, -1, 2, tf.int32), tf.float32)
    centroids = tf.random.normal((num_images, network.output["features"].shape[-1]))

    @tf.function
    def gradient(pixels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            features = network(pixels)["features"]
            loss = tf.reduce_sum(tf.norm(features - centroids, axis=1))
        return tape.gradient(loss, pixels)

    before = gradient(images).numpy()
    after = gradient(images * (1 + LAST_BIT * moved)).numpy()
    return np.abs(after - before).max(axis=(1, 2, 3)) / np.abs(before).max()


def main() -> None:
    """Prints how many images' gradients moved by more than rounding, and how far."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--networks", type=int, default=6)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--width", type=int, default=8)
    given = parser.parse_args()
    for activation in ("relu", "sigmoid"):
        found = np.concatenate(
            [
                changes(activation, seed, given.images, given.side, given.width)
                for seed in range(given.networks)
            ]
        )
        far = found[found > ROUNDING]
        print(
            f"{activation}: {far.size} of {found.size} gradients changed by more than "
            f"{ROUNDING} of the largest, at most {found.max():.1e}; the others by "
            f"at most {found[found <= ROUNDING].max():.1e}"
        )


if __name__ == "__main__":
    main()
