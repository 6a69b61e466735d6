"""The noise of a diffusion model, and DDIM: how a noised latent becomes clean again.

Source of the schedule: the latent diffusion model of D4M's released program (Su et al.,
"D4M: Dataset Distillation via Disentangled Diffusion Model", CVPR 2024). That program
samples by PNDM; cut in the middle, as the method does, PNDM takes its first step twice
and believes each later latent to be one step cleaner than it is. So DDIM (Song et al.,
"Denoising Diffusion Implicit Models", ICLR 2021) with eta = 0 samples here.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hdd_tf.random_keys import Purpose, derive_key

# Times of noise, 0 (least) to 999 (most).
NUM_TIMES = 1000
# (latents, time) -> noise in them.
Predict = Callable[[tf.Tensor, int], tf.Tensor]


def alphas_cumprod() -> np.ndarray:
    """Returns `[1000]` float64: the share of signal, squared, that a time keeps."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, NUM_TIMES) ** 2
    return np.cumprod(1.0 - betas)


def ddim_times(steps: int, strength: float) -> list[int]:
    """Returns the times of the calls of the network, from the noisiest on.

    Args:
        steps: Steps of a whole sampling, 1 to 500.
        strength: Part of them that is taken, in [0, 1].
    """
    taken, stride = int(steps * strength), NUM_TIMES // steps
    return [index * stride + 1 for index in reversed(range(taken))]


def draw_noise(
    labels: np.ndarray, latent_shape: tuple[int, ...], seed: int
) -> np.ndarray:
    """Draws the noise of each latent: that of a class depends on it and the seed alone.

    Args:
        labels: `[n]` class numbers of the latents.
        latent_shape: Height, width and channels of a latent.
        seed: Seed of the noise.

    Returns:
        `[n, h, w, z]` float32 standard normal numbers.
    """
    drawn = np.empty((len(labels), *latent_shape), np.float32)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        key = derive_key(seed, Purpose.DIFFUSION, int(label))
        shape = [len(rows), *latent_shape]
        drawn[rows] = tf.random.stateless_normal(shape, key).numpy()
    return drawn


def add_noise(
    latents: tf.Tensor, noise: tf.Tensor, signal: tf.Tensor | float
) -> tf.Tensor:
    """Returns sqrt(signal) latents + sqrt(1 - signal) noise, of the latents' dtype.

    Args:
        latents: `[n, ...]` clean latents.
        noise: Standard normal numbers of the same shape.
        signal: Entry of `alphas_cumprod` of the time, or one for each latent in a shape
            that broadcasts.
    """
    signal = tf.convert_to_tensor(signal, latents.dtype)
    return tf.sqrt(signal) * latents + tf.sqrt(1.0 - signal) * noise


def ddim_step(
    latents: tf.Tensor, noise: tf.Tensor, signal: tf.Tensor, less_noisy: tf.Tensor
) -> tf.Tensor:
    """Returns the latents at the next, less noisy time.

    Args:
        latents: `[n, ...]` latents at a time.
        noise: Noise that the network sees in them.
        signal: Scalar, entry of `alphas_cumprod` of the time.
        less_noisy: Scalar, entry of `alphas_cumprod` of the next time.
    """
    clean = (latents - tf.sqrt(1.0 - signal) * noise) / tf.sqrt(signal)
    return tf.sqrt(less_noisy) * clean + tf.sqrt(1.0 - less_noisy) * noise


def guided(
    with_class: tf.Tensor, without: tf.Tensor, guidance: float | tf.Tensor
) -> tf.Tensor:
    """Returns the noise of classifier-free guidance.

    Source: Ho and Salimans, "Classifier-Free Diffusion Guidance", 2022.

    Args:
        with_class: Noise that the network sees when it is told the class.
        without: Noise that it sees when it is not.
        guidance: Factor of their difference; 1 for the class alone.
    """
    return without + guidance * (with_class - without)


def ddim(
    predict: Predict,
    prototypes: tf.Tensor,
    noise: tf.Tensor,
    steps: int,
    strength: float,
    alphas: np.ndarray | None = None,
    on_step: Callable[[int], object] = lambda steps: None,
) -> tf.Tensor:
    """Noises prototypes up to a time and denoises them from there.

    Args:
        predict: The network, with guidance.
        prototypes: `[n, ...]` latents.
        noise: Standard normal numbers of their shape.
        steps: Steps of a whole sampling, 1 to 500.
        strength: Part of them that is taken, in [0, 1]; 0 returns the prototypes.
        alphas: `[1000]` shares of signal; None for `alphas_cumprod`.
        on_step: Function of the number of steps just taken, called after each.

    Returns:
        `[n, ...]` latents of the prototypes' dtype.
    """
    times, stride = ddim_times(steps, strength), NUM_TIMES // steps
    alphas = alphas_cumprod() if alphas is None else alphas
    kept = tf.constant(alphas, prototypes.dtype)
    if not times:
        return prototypes
    latents = add_noise(prototypes, noise, kept[times[0]])
    for time in times:
        seen = predict(latents, time)
        latents = ddim_step(latents, seen, kept[time], kept[max(time - stride, 0)])
        on_step(1)
    return latents
