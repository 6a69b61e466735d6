"""The ConvNet of the dataset distillation literature (Zhao & Bilen, WACV 2023).

It repeats [3x3 convolution, instance norm, ReLU, 2x2 average pooling] `depth` times,
then applies one dense layer. The features that are matched are the flattened maps
before the dense layer (2,048 for 32x32 images at depth 3 and width 128).
"""

import math

import keras
import tensorflow as tf

from hdd_tf.data.memory import check_room
from hdd_tf.errors import InputError
from hdd_tf.networks.layers.conv_block import ConvBlock
from hdd_tf.networks.plain_layers import (
    ACTIVATIONS,
    POOLINGS,
    convolve,
    finish,
    normalise,
    published_padding,
)


def build_convnet(
    image_shape: tuple[int, int, int],
    num_classes: int,
    depth: int,
    width: int,
    norm: str = "instance",
    activation: str = "relu",
    pooling: str = "average",
    taps: bool = False,
) -> keras.Model:
    """Builds the ConvNet as a Keras model.

    Args:
        image_shape: `(height, width, channels)` of the images.
        num_classes: Number of logits.
        depth: Number of blocks, >= 1.
        width: Channels of each block.
        norm: Key of `plain_layers.NORMS`; the published ConvNet has `instance`.
        activation: Key of `plain_layers.ACTIVATIONS`; the published ConvNet has `relu`.
        pooling: Key of `plain_layers.POOLINGS`; the published ConvNet has `average`.
        taps: True to add the maps of all blocks to the outputs.

    Returns:
        A model of `[n, h, w, c]` float32 normalised images with the outputs
        `{"features": [n, d], "logits": [n, num_classes]}`; with `taps` also
        `activations` and `blocks`, lists of the maps before and after pooling.

    Raises:
        InputError: the images are too small for `depth`, the norm is not supported, or
            memory cannot hold the network.
    """
    first_padding = published_padding(image_shape, 3)
    side = min(image_shape[:2]) + 2 * (first_padding - 1)
    if pooling != "none" and side >> depth == 0:
        raise InputError(
            f"--depth={depth} halves {image_shape[0]}x{image_shape[1]} images to "
            "nothing; use a smaller --depth."
        )
    kernels = 9 * width * (image_shape[2] + (depth - 1) * width)
    check_room(
        f"--width={width} --depth={depth}: the network with the maps of one image",
        4 * (kernels + math.prod(image_shape[:2]) * width),
        "give a smaller --width",
    )
    inputs = keras.Input(image_shape, name="images")
    published = (norm, activation, pooling) == ("instance", "relu", "average")
    maps = inputs
    activations, blocks = [], []
    for block in range(depth):
        padding = first_padding if block == 0 else 1
        if published:
            # Maps that are matched are not rounded.
            feeds_block = block < depth - 1 and not taps
            layer = ConvBlock(width, padding, taps, feeds_block, name=f"block{block}")
            maps, activated = layer(maps) if taps else (layer(maps), None)
        else:
            maps, activated = _plain_block(
                maps, width, padding, norm, activation, pooling
            )
        activations.append(activated)
        blocks.append(maps)
    features = keras.layers.Flatten(name="features", dtype="float32")(maps)
    tapped = {"activations": activations, "blocks": blocks} if taps else {}
    return finish(inputs, features, num_classes, "convnet", tapped)


def _plain_block(
    maps: tf.Tensor, width: int, padding: int, norm: str, activation: str, pooling: str
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the maps of a block of other layers, after pooling and before pooling."""
    # These two norms would remove a bias.
    bias = norm not in ("instance", "batch")
    maps = convolve(maps, width, 3, padding=padding, bias=bias)
    maps = ACTIVATIONS[activation]()(normalise(maps, norm))
    pool = POOLINGS[pooling]
    return (maps if pool is None else pool()(maps)), maps
