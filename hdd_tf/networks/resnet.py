"""Residual networks: ResNet-18 for small images, ResNet-10 for ImageNet-size ones.

ResNet-18 is that of Zhao & Bilen's released networks: a 3x3 stem and strides. ResNet-10
is that of the programs for larger images (Kim et al., ICML 2022, and DANCE): 2x2
average pooling replaces strides, and the stem depends on the image size. The default
norm of both is instance norm.
"""

import keras
import tensorflow as tf

from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.plain_layers import (
    convolve,
    finish,
    normalise,
    require_side,
)

_STAGES = (64, 128, 256, 512)


def build_resnet18(
    image_shape: tuple[int, int, int], num_classes: int, options: NetworkOptions
) -> keras.Model:
    """Builds ResNet-18 with a 3x3 stem.

    Args:
        image_shape: `(height, width, channels)`; at least 9 pixels a side, so that the
            last maps have more than one pixel. (Instance norm sets a single pixel to
            zero.)
        num_classes: Number of logits.
        options: Options, of which `norm` is used.

    Returns:
        A model with `features` `[n, 512]`, the mean of the last maps (4x4 for 32x32
        images), and `logits`.

    Raises:
        InputError: the images are too small, or the norm is not supported.
    """
    require_side("resnet18", image_shape, 9)
    inputs = keras.Input(image_shape, name="images")
    maps = _convolve_and_normalise(inputs, _STAGES[0], 3, options.norm)
    maps = keras.layers.ReLU()(maps)
    for stage, width in enumerate(_STAGES):
        maps = _strided_block(maps, width, 1 if stage == 0 else 2, options.norm)
        maps = _strided_block(maps, width, 1, options.norm)
    features = keras.layers.GlobalAveragePooling2D(name="features", dtype="float32")(
        maps
    )
    return finish(inputs, features, num_classes, "resnet18")


def build_resnet10(
    image_shape: tuple[int, int, int], num_classes: int, options: NetworkOptions
) -> keras.Model:
    """Builds ResNet-10 with average pooling instead of strides.

    Args:
        image_shape: `(height, width, channels)`; at least 16 pixels a side. If the
            shorter side has more than 64 pixels, the maps are halved after the stem. If
            it has more than 128 pixels, the stem is a 7x7 convolution and the maps are
            quartered.
        num_classes: Number of logits.
        options: Options, of which `norm` is used.

    Returns:
        A model with `features` `[n, 512]`, the mean of the last maps, and `logits`.

    Raises:
        InputError: the images are too small, or the norm is not supported.
    """
    require_side("resnet10", image_shape, 16)
    side = min(image_shape[:2])
    size, pool = (3, 1) if side <= 64 else (3, 2) if side <= 128 else (7, 4)
    inputs = keras.Input(image_shape, name="images")
    maps = _convolve_and_normalise(inputs, _STAGES[0], size, options.norm)
    maps = _average_pool(keras.layers.ReLU()(maps), pool)
    for stage, width in enumerate(_STAGES):
        maps = _pooled_block(maps, width, 1 if stage == 0 else 2, options.norm)
    features = keras.layers.GlobalAveragePooling2D(name="features", dtype="float32")(
        maps
    )
    return finish(inputs, features, num_classes, "resnet10")


def _strided_block(maps: tf.Tensor, width: int, stride: int, norm: str) -> tf.Tensor:
    """Returns ReLU(shortcut + two convolutions), the first of which is strided."""
    shortcut = maps
    if stride != 1 or maps.shape[-1] != width:
        shortcut = _convolve_and_normalise(maps, width, 1, norm, stride)
    maps = keras.layers.ReLU()(_convolve_and_normalise(maps, width, 3, norm, stride))
    maps = _convolve_and_normalise(maps, width, 3, norm)
    return keras.layers.ReLU()(keras.layers.Add()([maps, shortcut]))


def _pooled_block(maps: tf.Tensor, width: int, pool: int, norm: str) -> tf.Tensor:
    """Returns ReLU(shortcut + two convolutions), with pooling between them."""
    shortcut = maps
    if pool != 1 or maps.shape[-1] != width:
        shortcut = _average_pool(_convolve(maps, width, 1, norm), pool)
        shortcut = normalise(shortcut, norm)
    maps = keras.layers.ReLU()(_convolve_and_normalise(maps, width, 3, norm))
    maps = _convolve_and_normalise(_average_pool(maps, pool), width, 3, norm)
    return keras.layers.ReLU()(keras.layers.Add()([maps, shortcut]))


def _convolve_and_normalise(
    maps: tf.Tensor, width: int, size: int, norm: str, stride: int = 1
) -> tf.Tensor:
    return normalise(_convolve(maps, width, size, norm, stride), norm)


def _convolve(
    maps: tf.Tensor, width: int, size: int, norm: str, stride: int = 1
) -> tf.Tensor:
    # Every norm has a shift of its own, so only maps without norm need a bias.
    return convolve(maps, width, size, stride=stride, bias=norm == "none")


def _average_pool(maps: tf.Tensor, pool: int) -> tf.Tensor:
    return maps if pool == 1 else keras.layers.AveragePooling2D(pool)(maps)
