"""The embedded latent diffusion model: it learns the training split alone."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from hdd_tf.data.dataset import Dataset
from hdd_tf.distillation.method import Work
from hdd_tf.progress import progress_bar
from hdd_tf.random_keys import derive_key
from hdd_tf.selection.d4m import costs, noise
from hdd_tf.selection.d4m.autoencoder import Codes, is_plain, latent_shape
from hdd_tf.selection.d4m.kept_models import KeptAutoencoder, KeptDenoiser
from hdd_tf.selection.d4m.latents import (
    EncodedLatents,
    Latents,
    PlainLatents,
    decoder_of,
    encoder_of,
    to_pixels,
)
from hdd_tf.selection.d4m.layers import GenerativeNetwork
from hdd_tf.selection.d4m.model import LatentDiffusion


class EmbeddedDiffusion(LatentDiffusion):
    """Autoencoder and U-Net of a run's settings.

    Args:
        config: The run's `Config`.
        dataset: Data set whose training split is learnt.
        max_images: Largest number of images of a forward pass.

    Attributes:
        autoencoder: The autoencoder; None if images are latents themselves.
        denoiser: The U-Net.
    """

    def __init__(self, config: Any, dataset: Dataset, max_images: int) -> None:
        self._config = config
        self._dataset = dataset
        self._max_images = max_images
        # With and without its class, each latent is seen twice.
        self._block = max(1, max_images // 2)
        self.latent_shape = latent_shape(dataset.image_shape)
        self.autoencoder: KeptAutoencoder | None = None
        made_by = ""
        if not is_plain(dataset.image_shape):
            self.autoencoder = KeptAutoencoder(config, dataset)
            made_by = self.autoencoder.buffer.path.name
        self.denoiser = KeptDenoiser(
            config, dataset, lambda: self._known_latents, made_by
        )
        self._autoencoder_weights: list[tf.Tensor] = []
        self._predict: Callable[..., tf.Tensor] | None = None

    def check_room(self, generates: bool) -> None:
        """Checks the place of the networks that are missing; see the base class."""
        if self.autoencoder is not None:
            self.autoencoder.buffer.check_place(1)
        if generates:
            self.denoiser.buffer.check_place(1)

    def prepare(self, generates: bool, dry_run: bool) -> None:
        """Trains the networks that are missing.

        Args:
            generates: True if the U-Net is needed.
            dry_run: True to leave them untrained.

        Raises:
            InputError: a stored network is damaged, or memory is short.
            InterruptedRunError: a signal stopped the training, which is saved.
        """
        if dry_run:
            return
        shown = self._config.progress
        if self.autoencoder is not None:
            epochs = self._config.d4m_autoencoder_epochs
            with progress_bar("autoencoder", epochs, "epoch", shown) as bar:
                taken = self.autoencoder.buffer.take(1, bar.update, False)
            self._autoencoder_weights = [weight[0] for weight in taken.trained]
        if generates:
            updates = self._config.d4m_updates
            with progress_bar("diffusion", updates, "update", shown) as bar:
                taken = self.denoiser.buffer.take(1, bar.update, False)
            weights = [average[0] for average in taken.state]
            self._predict = predictor_of(
                self.denoiser.network,
                weights,
                self._dataset.num_classes,
                self._config.d4m_guidance,
            )

    def stages(self, count: int, generates: bool) -> list[Work]:
        """Returns the costs of training, encoding and generation."""
        works, config, images = [], self._config, self._dataset.training.images
        if (kept := self.autoencoder) is not None:
            works.append(costs.of_training("autoencoder", kept.buffer, kept.trainer))
            encode = encoder_of(kept.network, _fresh(kept.network))
            works.append(
                costs.of_encoding(lambda x: encode(x).mean, images, self._max_images)
            )
        if generates:
            self._assume_latents()
            works.append(
                costs.of_training(
                    "diffusion", self.denoiser.buffer, self.denoiser.trainer
                )
            )
            predict = predictor_of(
                self.denoiser.network,
                _fresh(self.denoiser.network),
                self._dataset.num_classes,
                config.d4m_guidance,
            )
            steps = len(noise.ddim_times(config.d4m_steps, config.d4m_strength))
            works.append(
                costs.of_generation(
                    predict, self.latent_shape, count, self._block, steps
                )
            )
        return works

    def sample(self, rows: np.ndarray, key: tf.Tensor) -> np.ndarray:
        """Draws the latents of training images; see the base class."""
        return self._known_latents.sample(tf.constant(rows), key).numpy()

    def generate(
        self,
        prototypes: np.ndarray,
        labels: np.ndarray,
        seed: int,
        on_step: Callable[[int], object],
    ) -> np.ndarray:
        """Noises and denoises prototypes; see the base class."""
        config = self._config
        block = self._block
        drawn = noise.draw_noise(labels, self.latent_shape, seed)
        found = []
        for start in range(0, len(labels), block):
            part = slice(start, start + block)
            told = tf.constant(labels[part], tf.int32)

            def predict(
                latents: tf.Tensor, time: int, told: tf.Tensor = told
            ) -> tf.Tensor:
                assert self._predict is not None
                return self._predict(latents, tf.constant(float(time)), told)

            found.append(
                noise.ddim(
                    predict,
                    tf.constant(prototypes[part]),
                    tf.constant(drawn[part]),
                    config.d4m_steps,
                    config.d4m_strength,
                    on_step=on_step,
                ).numpy()
            )
        return np.concatenate(found)

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Returns the images of latents; see the base class."""
        if self.autoencoder is None:
            return to_pixels(latents)
        assert isinstance(self._known_latents, EncodedLatents)
        scaled = latents * np.float32(self._known_latents.scale)
        parts = [
            self._decoder(tf.constant(scaled[start : start + self._max_images])).numpy()
            for start in range(0, len(scaled), self._max_images)
        ]
        return to_pixels(np.concatenate(parts))

    def blocks(self, count: int) -> int:
        """Returns the number of blocks that `generate` makes of latents."""
        return -(-count // self._block)

    @functools.cached_property
    def _decoder(self) -> Callable[[tf.Tensor], tf.Tensor]:
        # Kept, as prototypes and generated latents are decoded one after the other.
        assert self.autoencoder is not None
        return decoder_of(self.autoencoder.network, self._autoencoder_weights)

    @functools.cached_property
    def _known_latents(self) -> Latents:
        images = self._dataset.training.images
        if self.autoencoder is None:
            return PlainLatents(images)
        encode = encoder_of(self.autoencoder.network, self._autoencoder_weights)
        shown = self._config.progress
        with progress_bar("encode", len(images), "image", shown) as bar:
            return EncodedLatents(images, encode, self._max_images, bar.update)

    def _assume_latents(self) -> None:
        """Takes latents that nothing encoded, to measure the time of a training."""
        if self.autoencoder is None:
            return
        images = self._dataset.training.images
        shape = self.latent_shape

        def encode(block: tf.Tensor) -> Codes:
            zeros = tf.zeros([len(block), *shape])
            return Codes(zeros, zeros)

        self._known_latents = EncodedLatents(images, encode, self._max_images)


def _fresh(network: GenerativeNetwork) -> list[tf.Tensor]:
    return network.initial_weights(derive_key(0))


def predictor_of(
    network: GenerativeNetwork,
    weights: list[tf.Tensor],
    num_classes: int,
    guidance: float,
) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]:
    """Returns the U-Net with guidance, traced once for any number of latents.

    Args:
        network: The U-Net.
        weights: Its weights.
        num_classes: Number of classes C, which stands for no class too.
        guidance: Factor of what the class changes.

    Returns:
        A function of latents `[n, h, w, z]`, their scalar time, float32, and their
        class numbers `[n]` int32, which returns the noise in them.
    """
    latent_spec = tf.TensorSpec([None, *network.model.input[0].shape[1:]], tf.float32)

    def predict(latents: tf.Tensor, time: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        told = tf.concat([labels, tf.fill(tf.shape(labels), num_classes)], axis=0)
        times = tf.fill(tf.shape(told), time)
        twice = tf.concat([latents, latents], axis=0)
        both = network.apply(weights, [twice, times, told])
        with_class, without = tf.split(both, 2)
        return noise.guided(with_class, without, guidance)

    return tf.function(
        predict,
        input_signature=[
            latent_spec,
            tf.TensorSpec([], tf.float32),
            tf.TensorSpec([None], tf.int32),
        ],
        autograph=False,
    )
