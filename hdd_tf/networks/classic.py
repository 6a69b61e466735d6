"""Networks without shortcuts that evaluate distilled sets: MLP, LeNet, AlexNet, VGG-11.

They are the released networks of Zhao & Bilen (DC, DSA and DM), which are versions for
32x32 images. The docstrings give the rule for image sizes that those do not support.
"""

import keras

from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.plain_layers import (
    convolve,
    finish,
    normalise,
    published_padding,
    require_side,
)

# Channels of VGG-11's convolutions, "M" for 2x2 max pooling.
_VGG11 = (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M")


def build_mlp(
    image_shape: tuple[int, int, int], num_classes: int, options: NetworkOptions
) -> keras.Model:
    """Builds two hidden layers of 128 units with ReLU.

    Args:
        image_shape: `(height, width, channels)`, any size.
        num_classes: Number of logits.
        options: Unused.

    Returns:
        A model with `features` `[n, 128]` and `logits`.
    """
    inputs = keras.Input(image_shape, name="images")
    features = keras.layers.Flatten()(inputs)
    for _ in range(2):
        features = keras.layers.Dense(128, activation="relu")(features)
    return finish(inputs, features, num_classes, "mlp")


def build_lenet(
    image_shape: tuple[int, int, int], num_classes: int, options: NetworkOptions
) -> keras.Model:
    """Builds LeNet-5: 5x5 convolutions of 6 and 16, max pooling, dense 120 and 84.

    Args:
        image_shape: `(height, width, channels)`; at least 16 pixels a side.
        num_classes: Number of logits.
        options: Unused.

    Returns:
        A model with `features` `[n, 84]` and `logits`.

    Raises:
        InputError: the images are too small.
    """
    require_side("lenet", image_shape, 16)
    inputs = keras.Input(image_shape, name="images")
    # LeNet does not pad, except that 28x28 images are padded to 32x32.
    maps, padding = inputs, published_padding(image_shape, 5) - 2
    for width in (6, 16):
        maps = keras.layers.ReLU()(convolve(maps, width, 5, padding=padding))
        maps = keras.layers.MaxPooling2D(2)(maps)
        padding = 0
    features = keras.layers.Flatten()(maps)
    for units in (120, 84):
        features = keras.layers.Dense(units, activation="relu")(features)
    return finish(inputs, features, num_classes, "lenet")


def build_alexnet(
    image_shape: tuple[int, int, int], num_classes: int, options: NetworkOptions
) -> keras.Model:
    """Builds the AlexNet for 32x32 images, without norms and with one dense layer.

    Args:
        image_shape: `(height, width, channels)`; at least 8 pixels a side.
        num_classes: Number of logits.
        options: Unused.

    Returns:
        A model with `features`, the flattened last maps (3,072 for 32x32 images), and
        `logits`.

    Raises:
        InputError: the images are too small.
    """
    require_side("alexnet", image_shape, 8)
    inputs = keras.Input(image_shape, name="images")
    padding = published_padding(image_shape, 5)
    maps = keras.layers.ReLU()(convolve(inputs, 128, 5, padding=padding))
    maps = keras.layers.MaxPooling2D(2)(maps)
    maps = keras.layers.ReLU()(convolve(maps, 192, 5))
    maps = keras.layers.MaxPooling2D(2)(maps)
    for width in (256, 192, 192):
        maps = keras.layers.ReLU()(convolve(maps, width, 3))
    maps = keras.layers.MaxPooling2D(2)(maps)
    features = keras.layers.Flatten(name="features", dtype="float32")(maps)
    return finish(inputs, features, num_classes, "alexnet")


def build_vgg11(
    image_shape: tuple[int, int, int], num_classes: int, options: NetworkOptions
) -> keras.Model:
    """Builds VGG-11 with a norm after each convolution and one dense layer.

    Args:
        image_shape: `(height, width, channels)`; 28 pixels high, or at least 32 pixels
            a side.
        num_classes: Number of logits.
        options: Options, of which `norm` is used.

    Returns:
        A model with `features` `[n, 512]` and `logits`. The features are the mean of
        the last maps. Those of 32x32 images have one pixel, so that their mean is the
        feature vector of the published network.

    Raises:
        InputError: the images are too small, or the norm is not supported.
    """
    padding = published_padding(image_shape, 3)
    grown = 2 * (padding - 1)
    require_side("vgg11", image_shape, 32 - grown)
    inputs = keras.Input(image_shape, name="images")
    maps = inputs
    for width in _VGG11:
        if width == "M":
            maps = keras.layers.MaxPooling2D(2)(maps)
            continue
        maps = convolve(maps, int(width), 3, padding=padding)
        maps = keras.layers.ReLU()(normalise(maps, options.norm))
        padding = 1
    features = keras.layers.GlobalAveragePooling2D(name="features", dtype="float32")(
        maps
    )
    return finish(inputs, features, num_classes, "vgg11")
