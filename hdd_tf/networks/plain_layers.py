"""The layers that networks are built from, with the papers' constants.

Keras' defaults differ in three places that change results: the epsilon of every norm
(1e-3 in Keras), the momentum of batch norm (0.99 in Keras), and `same` padding of
strided convolutions (which Keras adds at the bottom and the right only).
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from hdd_tf.errors import InputError
from hdd_tf.networks.layers.instance_norm import EPSILON, InstanceNormalization

# Momentum of the moving statistics: moving = 0.9 moving + 0.1 batch.
BATCH_NORM_MOMENTUM = 0.9
GROUPS = 4

# The norms by the names of `--norm`. Layer norm is over all values of an image, with a
# scale for each of them. Batch norm updates its moving variance with the biased
# variance of the batch. (The papers' framework uses the unbiased variance, which is
# n / (n - 1) times the biased one for n values a channel.)
NORMS: dict[str, Callable[[], keras.layers.Layer] | None] = {
    "instance": InstanceNormalization,
    "batch": lambda: keras.layers.BatchNormalization(
        momentum=BATCH_NORM_MOMENTUM, epsilon=EPSILON
    ),
    "layer": lambda: keras.layers.LayerNormalization(axis=[1, 2, 3], epsilon=EPSILON),
    "group": lambda: keras.layers.GroupNormalization(GROUPS, epsilon=EPSILON),
    "none": None,
}
ACTIVATIONS: dict[str, Callable[[], keras.layers.Layer]] = {
    "relu": keras.layers.ReLU,
    "leaky_relu": lambda: keras.layers.LeakyReLU(negative_slope=0.01),
    "sigmoid": lambda: keras.layers.Activation("sigmoid"),
}
POOLINGS: dict[str, Callable[[], keras.layers.Layer] | None] = {
    "average": lambda: keras.layers.AveragePooling2D(2),
    "max": lambda: keras.layers.MaxPooling2D(2),
    "none": None,
}


def convolve(
    maps: tf.Tensor,
    width: int,
    size: int,
    *,
    padding: int | None = None,
    stride: int = 1,
    bias: bool = True,
) -> tf.Tensor:
    """Convolves maps padded by the same number of zeros on every side.

    Args:
        maps: `[n, h, w, c]` Keras tensor.
        width: Number of output channels.
        size: Rows and columns of the kernel.
        padding: Rows and columns of zeros on every side; None for half the kernel,
            which keeps the maps' size at stride 1.
        stride: Step in both directions.
        bias: True to add a bias.

    Returns:
        `[n, (h + 2 padding - size) // stride + 1, ..., width]` Keras tensor.
    """
    padding = size // 2 if padding is None else padding
    same = stride == 1 and padding == size // 2
    if padding and not same:
        maps = keras.layers.ZeroPadding2D(padding)(maps)
    layer = keras.layers.Conv2D(
        width, size, stride, "same" if same else "valid", use_bias=bias
    )
    return layer(maps)


def normalise(maps: tf.Tensor, norm: str) -> tf.Tensor:
    """Normalises `[n, h, w, c]` maps.

    Args:
        maps: Keras tensor.
        norm: Key of `NORMS`.

    Returns:
        `[n, h, w, c]` Keras tensor.

    Raises:
        InputError: `norm` is `group`, and `GROUPS` does not divide the channels.
    """
    width = maps.shape[-1]
    if norm == "group" and width % GROUPS:
        raise InputError(
            f"--norm=group makes {GROUPS} groups of a layer's channels, which are "
            f"{width}: give a --width that {GROUPS} divides."
        )
    build = NORMS[norm]
    return maps if build is None else build()(maps)


def published_padding(image_shape: tuple[int, int, int], size: int) -> int:
    """Returns the first layer's padding, in pixels on every side.

    The published networks are for 32x32 images. Images of 28x28 get two more rows and
    columns of zeros on every side in the first layer, so that all maps have the sizes
    of those of 32x32 images.

    Args:
        image_shape: `(height, width, channels)`.
        size: Rows and columns of the first layer's kernel.
    """
    return size // 2 + (2 if image_shape[0] == 28 else 0)


def require_side(name: str, image_shape: tuple[int, int, int], least: int) -> None:
    """Checks that images are large enough for a network.

    Args:
        name: Name of the network.
        image_shape: `(height, width, channels)`.
        least: Smallest number of pixels a side.

    Raises:
        InputError: a side of the images is shorter.
    """
    height, width, _ = image_shape
    if min(height, width) < least:
        raise InputError(
            f"{name} takes images of {least} pixels a side or more, and these are "
            f"{height}x{width}: name another network, such as convnet with a small "
            "--depth."
        )


def finish(
    inputs: tf.Tensor,
    features: tf.Tensor,
    num_classes: int,
    name: str,
    more_outputs: Mapping[str, Any] | None = None,
) -> keras.Model:
    """Adds the classifier to the features and returns the network.

    Args:
        inputs: The network's `keras.Input`.
        features: `[n, d]` Keras tensor, brought to float32 where it is not.
        num_classes: Number of logits.
        name: Name of the model.
        more_outputs: Further outputs of the model by name, besides features and logits.

    Returns:
        A model with the outputs `{"features": [n, d], "logits": [n, num_classes]}` and
        `more_outputs`.
    """
    if features.dtype != "float32":
        features = keras.layers.Activation("linear", dtype="float32")(features)
    classifier = keras.layers.Dense(num_classes, name="classifier", dtype="float32")
    logits = classifier(features)
    outputs = {"features": features, "logits": logits, **(more_outputs or {})}
    return keras.Model(inputs, outputs, name=name)
