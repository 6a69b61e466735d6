"""The denoiser of the embedded diffusion model: a U-Net that is told time and class.

It belongs to this program, which trains it on the training split alone: no published
numbers rest on it. Without guidance by text it follows class-conditional diffusion as
in Ho et al., "Denoising Diffusion Probabilistic Models", NeurIPS 2020.
"""

import keras
import numpy as np
import tensorflow as tf

from hdd_tf.random_keys import derive_key
from hdd_tf.selection.d4m.layers import Builder, GenerativeNetwork
from hdd_tf.selection.d4m.noise import NUM_TIMES, add_noise, alphas_cumprod

_HEADS = 2
# Probability that a training image is shown without its class.
_NO_CLASS = 0.1
# The streams of random numbers under the key of a batch.
_TIME, _NOISE, _TOLD = range(3)


def build_denoiser(
    latent_shape: tuple[int, int, int], num_classes: int, width: int
) -> GenerativeNetwork:
    """Builds the U-Net.

    Args:
        latent_shape: Height, width and channels of latents.
        num_classes: Number of classes C.
        width: Channels b of the first maps, a multiple of 8.

    Returns:
        A network from latents `[n, h, w, z]`, their times `[n]` float32 and class
        numbers `[n]` int32, C for none, to the noise `[n, h, w, z]` in them.
    """
    build = Builder("denoiser")
    latents = keras.Input(latent_shape, name="latents")
    times = keras.Input((), name="times", dtype="float32")
    labels = keras.Input((), name="labels", dtype="int32")
    told = build.dense(_waves(times, width), 4 * width)
    told = build.dense(build.silu(told), 4 * width)
    one_hot = keras.ops.one_hot(labels, num_classes + 1, dtype="float32")
    told = told + build.dense(one_hot, 4 * width, bias=False)

    first = build.conv(latents, width)
    second = build.residual(first, width, told)
    third = build.residual(second, width, told)
    halved = build.conv(third, width, strides=2)
    deeper = build.residual(halved, 2 * width, told)
    deepest = build.residual(deeper, 2 * width, told)
    maps = build.residual(deepest, 2 * width, told)
    maps = build.attention(maps, _HEADS)
    maps = build.residual(maps, 2 * width, told)
    for kept in (deepest, halved):
        maps = build.residual(build.join(maps, kept), 2 * width, told)
    maps = build.conv(build.double(maps, like=third), 2 * width)
    for kept in (third, second, first):
        maps = build.residual(build.join(maps, kept), width, told)
    noise = build.conv(build.silu(build.norm(maps)), latent_shape[-1], zero=True)
    model = keras.Model([latents, times, labels], noise)
    return GenerativeNetwork(model, averaged=True)


def loss(
    network: GenerativeNetwork,
    weights: list,
    latents: tf.Tensor,
    labels: tf.Tensor,
    num_classes: int,
    key: tf.Tensor,
) -> tf.Tensor:
    """Returns the scalar mean squared error of the noise of a batch.

    Args:
        network: The denoiser.
        weights: Its weights.
        latents: `[n, h, w, z]` clean latents.
        labels: `[n]` int32 class numbers.
        num_classes: Number of classes C.
        key: `[2]` int32 key of times, noise, and the classes that are kept back.
    """
    count = latents.shape[0]
    times = tf.random.stateless_uniform(
        [count], derive_key(key, _TIME), 0, NUM_TIMES, tf.int32
    )
    noise = tf.random.stateless_normal(latents.shape, derive_key(key, _NOISE))
    hidden = tf.random.stateless_uniform([count], derive_key(key, _TOLD)) < _NO_CLASS
    signal = tf.gather(tf.constant(alphas_cumprod(), tf.float32), times)
    noisy = add_noise(latents, noise, signal[:, None, None, None])
    labels = tf.where(hidden, num_classes, labels)
    found = network.apply(weights, [noisy, tf.cast(times, tf.float32), labels])
    return tf.reduce_mean(tf.math.squared_difference(found, noise))


def _waves(times: tf.Tensor, width: int) -> tf.Tensor:
    """Returns `[n, b]`: cosines and sines of the times, of b / 2 frequencies."""
    half = width // 2
    frequencies = 10.0 ** (-4.0 * np.arange(half) / half)
    angles = keras.ops.expand_dims(times, -1) * frequencies.astype(np.float32)
    return keras.ops.concatenate(
        [keras.ops.cos(angles), keras.ops.sin(angles)], axis=-1
    )
