"""Compact networks for small images, with batch norm: those of G-VBSM's pool.

MobileNetV2 (Sandler et al., CVPR 2018) and ShuffleNetV2 (Ma et al., ECCV 2018) at half
width, and WideResNet-16-2 (Zagoruyko and Komodakis, BMVC 2016), with the strides and
stems of G-VBSM's program at 1ed80b0. They have batch norm whatever `--norm` says.
"""

import keras
import tensorflow as tf

from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.plain_layers import convolve, finish, normalise, require_side

# Expansion, channels, number of blocks and stride of the first of them.
_MOBILE_STAGES = (
    (1, 8, 1, 1),
    (6, 12, 2, 1),
    (6, 16, 3, 2),
    (6, 32, 4, 2),
    (6, 48, 3, 1),
    (6, 80, 3, 2),
    (6, 160, 1, 1),
)
_MOBILE_STEM, _MOBILE_HEAD = 16, 1280
_WIDE_STEM, _WIDE_STAGES = 16, ((32, 1), (64, 2), (128, 2))
# Channels, and units that follow the strided one.
_SHUFFLE_STEM, _SHUFFLE_STAGES, _SHUFFLE_HEAD = 24, ((48, 3), (96, 7), (192, 3)), 1024
# Larger maps would end in one pixel before the last stage.
_LEAST_SIDE = 8


def build_mobilenet_v2(
    image_shape: tuple[int, int, int], num_classes: int, options: NetworkOptions
) -> keras.Model:
    """Builds MobileNetV2 of half width, with a stem of stride 2.

    Args:
        image_shape: `(height, width, channels)`; at least 8 pixels a side.
        num_classes: Number of logits.
        options: Not used.

    Returns:
        A model with `features` `[n, 1280]`, the mean of the last maps, and `logits`.

    Raises:
        InputError: the images are too small.
    """
    del options
    require_side("mobilenet_v2", image_shape, _LEAST_SIDE)
    inputs = keras.Input(image_shape, name="images")
    maps = _unit(inputs, _MOBILE_STEM, 3, 2)
    for expansion, width, blocks, stride in _MOBILE_STAGES:
        for block in range(blocks):
            maps = _inverted_block(maps, expansion, width, 1 if block else stride)
    return _finish(inputs, _unit(maps, _MOBILE_HEAD, 1), num_classes, "mobilenet_v2")


def build_wide_resnet(
    image_shape: tuple[int, int, int], num_classes: int, options: NetworkOptions
) -> keras.Model:
    """Builds WideResNet-16-2, with pre-activation blocks.

    Args:
        image_shape: `(height, width, channels)`; at least 8 pixels a side.
        num_classes: Number of logits.
        options: Not used.

    Returns:
        A model with `features` `[n, 128]`, the mean of the last maps, and `logits`.

    Raises:
        InputError: the images are too small.
    """
    del options
    require_side("wide_resnet", image_shape, _LEAST_SIDE)
    inputs = keras.Input(image_shape, name="images")
    maps = convolve(inputs, _WIDE_STEM, 3, bias=False)
    for width, stride in _WIDE_STAGES:
        maps = _wide_block(maps, width, stride)
        maps = _wide_block(maps, width, 1)
    return _finish(inputs, _activated(maps), num_classes, "wide_resnet")


def build_shufflenet_v2(
    image_shape: tuple[int, int, int], num_classes: int, options: NetworkOptions
) -> keras.Model:
    """Builds ShuffleNetV2 of half width, with a 1x1 stem.

    Args:
        image_shape: `(height, width, channels)`; at least 8 pixels a side.
        num_classes: Number of logits.
        options: Not used.

    Returns:
        A model with `features` `[n, 1024]`, the mean of the last maps, and `logits`.

    Raises:
        InputError: the images are too small.
    """
    del options
    require_side("shufflenet_v2", image_shape, _LEAST_SIDE)
    inputs = keras.Input(image_shape, name="images")
    maps = _unit(inputs, _SHUFFLE_STEM, 1)
    for width, units in _SHUFFLE_STAGES:
        left = _unit(_depthwise(maps, 2), width // 2, 1)
        right = _depthwise(_unit(maps, maps.shape[-1], 1), 2)
        maps = _shuffled(left, _unit(right, width // 2, 1))
        for _ in range(units):
            kept, half = maps[..., : width // 2], maps[..., width // 2 :]
            half = _depthwise(_unit(half, width // 2, 1), 1)
            maps = _shuffled(kept, _unit(half, width // 2, 1))
    return _finish(inputs, _unit(maps, _SHUFFLE_HEAD, 1), num_classes, "shufflenet_v2")


def _unit(maps: tf.Tensor, width: int, size: int, stride: int = 1) -> tf.Tensor:
    """Returns the maps after a convolution, batch norm and ReLU."""
    return _activated(convolve(maps, width, size, stride=stride, bias=False))


def _activated(maps: tf.Tensor) -> tf.Tensor:
    return keras.layers.ReLU()(normalise(maps, "batch"))


def _depthwise(maps: tf.Tensor, stride: int) -> tf.Tensor:
    """Returns the maps after a 3x3 convolution of each channel, and batch norm."""
    # Keras would add the zeros of a strided convolution at the bottom and the right.
    if stride > 1:
        maps = keras.layers.ZeroPadding2D(1)(maps)
    padding = "valid" if stride > 1 else "same"
    layer = keras.layers.DepthwiseConv2D(3, stride, padding, use_bias=False)
    return normalise(layer(maps), "batch")


def _inverted_block(
    maps: tf.Tensor, expansion: int, width: int, stride: int
) -> tf.Tensor:
    """Returns a wide depthwise convolution between two of 1x1, plus the block's input.

    The input is added where it has the shape of the output.
    """
    wide = _unit(maps, expansion * maps.shape[-1], 1)
    wide = keras.layers.ReLU()(_depthwise(wide, stride))
    narrow = normalise(convolve(wide, width, 1, bias=False), "batch")
    if stride > 1 or maps.shape[-1] != width:
        return narrow
    return keras.layers.Add()([narrow, maps])


def _wide_block(maps: tf.Tensor, width: int, stride: int) -> tf.Tensor:
    """Returns two convolutions, each after batch norm and ReLU, plus a shortcut."""
    shortcut, active = maps, _activated(maps)
    if maps.shape[-1] != width:
        shortcut = convolve(active, width, 1, stride=stride, bias=False)
    active = convolve(active, width, 3, stride=stride, bias=False)
    active = convolve(_activated(active), width, 3, bias=False)
    return keras.layers.Add()([active, shortcut])


def _shuffled(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Returns the channels of both maps in turn."""
    _, height, width, channels = left.shape
    pairs = keras.layers.Concatenate()([left, right])
    pairs = keras.layers.Reshape((height, width, 2, channels))(pairs)
    turned = keras.layers.Permute((1, 2, 4, 3))(pairs)
    return keras.layers.Reshape((height, width, 2 * channels))(turned)


def _finish(
    inputs: tf.Tensor, maps: tf.Tensor, num_classes: int, name: str
) -> keras.Model:
    features = keras.layers.GlobalAveragePooling2D(name="features", dtype="float32")(
        maps
    )
    return finish(inputs, features, num_classes, name)
