"""The autoencoder of the embedded diffusion model, for images above 16x16.

It belongs to this program, which trains it on the training split alone: no published
numbers rest on it.
"""

from typing import NamedTuple

import keras
import tensorflow as tf

from hdd_tf.selection.d4m.layers import Builder, GenerativeNetwork

LATENT_CHANNELS = 8
# Sides of images that are latents themselves.
_LARGEST_PLAIN = 16
_SHRINKING = 4
_PRIOR_WEIGHT = 1e-4
_LOG_VARIANCES = (-30.0, 20.0)


class Codes(NamedTuple):
    """Distributions of latents.

    Attributes:
        mean: `[n, h, w, z]` float32.
        deviation: `[n, h, w, z]` float32 standard deviations >= 0.
    """

    mean: tf.Tensor
    deviation: tf.Tensor


def is_plain(image_shape: tuple[int, int, int]) -> bool:
    """Returns whether images are small enough to be latents themselves."""
    return max(image_shape[:2]) <= _LARGEST_PLAIN


def latent_shape(image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Returns height, width and channels of the latents of images."""
    if is_plain(image_shape):
        return image_shape
    height, width = (-(-side // _SHRINKING) for side in image_shape[:2])
    return height, width, LATENT_CHANNELS


def build_autoencoder(
    image_shape: tuple[int, int, int], width: int
) -> GenerativeNetwork:
    """Builds encoder and decoder.

    Args:
        image_shape: Height, width and channels of images.
        width: Channels w of the first maps, a multiple of 8.

    Returns:
        A network from images `[n, h, w, c]` in [-1, 1] and standard normal numbers
        `[n, h', w', z]` to means and logarithms of variances of latents, and images
        again.
    """
    encoder = _encoder(image_shape, width)
    decoder = _decoder(image_shape, width)
    images = keras.Input(image_shape, name="images")
    noise = keras.Input(latent_shape(image_shape), name="noise")
    mean, log_variance = encoder(images)
    latents = mean + keras.ops.exp(0.5 * log_variance) * noise
    outputs = [mean, log_variance, decoder(latents)]
    return GenerativeNetwork(keras.Model([images, noise], outputs), averaged=False)


def loss(
    network: GenerativeNetwork, weights: list, images: tf.Tensor, key: tf.Tensor
) -> tf.Tensor:
    """Returns the scalar loss of a batch.

    The mean squared error, and 1e-4 times the mean divergence of the latents'
    distributions from the standard normal one.

    Args:
        network: The autoencoder.
        weights: Its weights.
        images: `[n, h, w, c]` images in [-1, 1].
        key: `[2]` int32 key of the latents.
    """
    shape = latent_shape(tuple(images.shape[1:]))
    noise = tf.random.stateless_normal([images.shape[0], *shape], key)
    mean, log_variance, found = network.apply(weights, [images, noise])
    prior = 0.5 * (tf.square(mean) + tf.exp(log_variance) - 1.0 - log_variance)
    error = tf.reduce_mean(tf.math.squared_difference(found, images))
    return error + _PRIOR_WEIGHT * tf.reduce_mean(prior)


def encode(network: GenerativeNetwork, weights: list, images: tf.Tensor) -> Codes:
    """Returns the distributions of the latents of images in [-1, 1]."""
    encoder, _ = _parts(network)
    own = network.of_model(weights)[: len(encoder.trainable_variables)]
    mean, log_variance = encoder.stateless_call(own, [], images)[0]
    return Codes(mean, tf.exp(0.5 * log_variance))


def decode(network: GenerativeNetwork, weights: list, latents: tf.Tensor) -> tf.Tensor:
    """Returns images, about in [-1, 1], of latents `[n, h', w', z]`."""
    encoder, decoder = _parts(network)
    own = network.of_model(weights)[len(encoder.trainable_variables) :]
    return decoder.stateless_call(own, [], latents)[0]


def _parts(network: GenerativeNetwork) -> tuple[keras.Model, keras.Model]:
    model = network.model
    return model.get_layer("encoder"), model.get_layer("decoder")


def _encoder(image_shape: tuple[int, int, int], width: int) -> keras.Model:
    build = Builder("encoder")
    images = keras.Input(image_shape)
    maps = build.conv(build.pad(images, _SHRINKING), width)
    maps = build.residual(maps, width)
    for _ in range(2):
        maps = build.conv(maps, 2 * width, strides=2)
        maps = build.residual(maps, 2 * width)
    maps = build.conv(build.silu(build.norm(maps)), 2 * LATENT_CHANNELS)
    mean, log_variance = maps[..., :LATENT_CHANNELS], maps[..., LATENT_CHANNELS:]
    log_variance = keras.ops.clip(log_variance, *_LOG_VARIANCES)
    return keras.Model(images, [mean, log_variance], name="encoder")


def _decoder(image_shape: tuple[int, int, int], width: int) -> keras.Model:
    build = Builder("decoder")
    latents = keras.Input(latent_shape(image_shape))
    maps = build.residual(build.conv(latents, 2 * width), 2 * width)
    for channels in (2 * width, width):
        maps = build.residual(build.conv(build.double(maps), channels), channels)
    maps = build.conv(build.silu(build.norm(maps)), image_shape[-1])
    return keras.Model(latents, build.cut(maps, *image_shape[:2]), name="decoder")
