"""The networks of the embedded diffusion model, trained ahead and kept."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from hdd_tf.data.dataset import Dataset
from hdd_tf.data.image_rows import gather_rows, hold
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.selection.d4m import autoencoder, denoiser
from hdd_tf.selection.d4m.latents import Latents, to_unit
from hdd_tf.selection.d4m.layers import GenerativeNetwork
from hdd_tf.selection.d4m.trainer import GenerativeTrainer
from hdd_tf.training.experts import ExpertBuffer
from hdd_tf.training.training_variables import OwnTraining

_RATE = 2e-4
_WARM_UP = 500
_CLIP_NORM = 1.0
# Changes when the networks or their trainings change.
_FORMAT = 1
_REMEDY = "Give a larger --d4m_batch, or another --expert_seed."


class KeptAutoencoder:
    """The autoencoder of a run's settings, in its buffer.

    Args:
        config: The run's `Config`.
        dataset: Data set whose training split it learns, of images too large to be
            latents themselves.

    Attributes:
        network: The autoencoder.
        buffer: Buffer that keeps it.
    """

    def __init__(self, config: Any, dataset: Dataset) -> None:
        self._dataset = dataset
        self.network = autoencoder.build_autoencoder(
            dataset.image_shape, config.d4m_autoencoder_width
        )
        self._protocol = TrainingProtocol(
            config.d4m_autoencoder_epochs,
            config.d4m_batch,
            _RATE,
            weight_decay=0.0,
            optimiser="adamw",
            schedule="cosine",
            period=config.d4m_autoencoder_epochs,
        )
        self.buffer = ExpertBuffer(
            config.expert_dir,
            self.network,
            "latent autoencoder",
            dataset,
            self._protocol,
            config.expert_seed,
            own=OwnTraining(_kind(self.network, ""), self.trainer, _REMEDY),
        )

    def trainer(self) -> GenerativeTrainer:
        """Returns its training, of as many updates as its epochs have."""
        images, protocol = self._dataset.training.images, self._protocol
        per_epoch = max(1, len(images) // protocol.batch_size)
        part = np.arange(per_epoch * protocol.epochs) / (per_epoch * protocol.epochs)
        held = hold(images)

        def loss(
            weights: list[tf.Tensor], rows: tf.Tensor, key: tf.Tensor
        ) -> tf.Tensor:
            batch = gather_rows(held, rows)
            return autoencoder.loss(self.network, weights, to_unit(batch), key)

        return GenerativeTrainer(
            self.network,
            loss,
            len(images),
            protocol,
            _RATE * (1.0 + np.cos(math.pi * part)) / 2.0,
            per_epoch,
        )


class KeptDenoiser:
    """The U-Net of a run's settings, in its buffer.

    Args:
        config: The run's `Config`.
        dataset: Data set whose training split it learns.
        latents: Function that returns the latents of the training split; called if the
            U-Net is to be trained.
        made_by: What made the latents: the name of the autoencoder's directory, or
            nothing for plain images.

    Attributes:
        network: The U-Net.
        buffer: Buffer that keeps it. An epoch of it is one update.
    """

    def __init__(
        self,
        config: Any,
        dataset: Dataset,
        latents: Callable[[], Latents],
        made_by: str,
    ) -> None:
        self._dataset = dataset
        self._latents = latents
        self.network = denoiser.build_denoiser(
            autoencoder.latent_shape(dataset.image_shape),
            dataset.num_classes,
            config.d4m_width,
        )
        self._protocol = TrainingProtocol(
            config.d4m_updates,
            config.d4m_batch,
            _RATE,
            weight_decay=0.0,
            optimiser="adamw",
        )
        self.buffer = ExpertBuffer(
            config.expert_dir,
            self.network,
            "latent denoiser",
            dataset,
            self._protocol,
            config.expert_seed,
            own=OwnTraining(_kind(self.network, made_by), self.trainer, _REMEDY),
        )

    def trainer(self) -> GenerativeTrainer:
        """Returns its training."""
        latents, protocol, dataset = self._latents(), self._protocol, self._dataset
        with tf.device("CPU:0"):
            labels = tf.constant(dataset.training.labels, tf.int32)

        def loss(
            weights: list[tf.Tensor], rows: tf.Tensor, key: tf.Tensor
        ) -> tf.Tensor:
            batch = latents.sample(rows, key)
            return denoiser.loss(
                self.network,
                weights,
                batch,
                tf.gather(labels, rows),
                dataset.num_classes,
                key,
            )

        warming = np.arange(1, protocol.epochs + 1) / _WARM_UP
        return GenerativeTrainer(
            self.network,
            loss,
            len(dataset.training.labels),
            protocol,
            _RATE * np.minimum(1.0, warming),
            updates_per_epoch=1,
            clip_norm=_CLIP_NORM,
        )


def _kind(network: GenerativeNetwork, latents: str) -> dict[str, Any]:
    """Returns what identifies a network beside its data, protocol and seed."""
    shapes = network.model_shapes
    return {"generative": _FORMAT, "latents": latents, "model_shapes": shapes}
