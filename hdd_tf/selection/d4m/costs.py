"""What the embedded diffusion model costs a run, measured: updates and steps."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from hdd_tf.data.dataset import Dataset
from hdd_tf.random_keys import derive_key
from hdd_tf.selection.d4m.embedded import EmbeddedDiffusion, predictor_of
from hdd_tf.selection.d4m.latents import encoder_of, to_unit
from hdd_tf.selection.d4m.noise import ddim_times
from hdd_tf.selection.d4m.trainer import GenerativeTrainer
from hdd_tf.training.experts import ExpertBuffer


class Part(NamedTuple):
    """A part of a run.

    Attributes:
        name: What it is.
        amount: How much there is of it, in words.
        seconds: How long it takes.
    """

    name: str
    amount: str
    seconds: float


def parts(config: Any, dataset: Dataset, max_images: int) -> list[Part]:
    """Returns the costs of training the diffusion model, and of generating images.

    Args:
        config: The run's `Config`.
        dataset: Data set whose training split is learnt.
        max_images: Largest number of images of a forward pass.
    """
    if config.d4m_model:
        return [Part("diffusion", f"{config.d4m_model} is not timed", 0.0)]
    model = EmbeddedDiffusion(config, dataset, max_images)
    found = []
    if model.autoencoder is not None:
        found.append(
            _training(
                "autoencoder", model.autoencoder.buffer, model.autoencoder.trainer
            )
        )
        found.append(_encoding(model, dataset, max_images))
    if ddim_times(config.d4m_steps, config.d4m_strength):
        model.assume_latents()
        found.append(
            _training("diffusion", model.denoiser.buffer, model.denoiser.trainer)
        )
        found.append(_generation(model, config, dataset, max_images))
    return found


def _training(
    name: str, buffer: ExpertBuffer, trainer: Callable[[], GenerativeTrainer]
) -> Part:
    epochs = buffer.protocol.epochs
    if not buffer.missing(1):
        return Part(name, f"found in {buffer.path}", 0.0)
    training = trainer()
    updates = epochs * training.updates_per_epoch
    each = training.time_update()
    return Part(name, f"{updates:,} updates, {each:.2f} s each", updates * each)


def _encoding(model: EmbeddedDiffusion, dataset: Dataset, max_images: int) -> Part:
    assert model.autoencoder is not None
    network, images = model.autoencoder.network, dataset.training.images
    encode = encoder_of(network, network.initial_weights(derive_key(0)))
    block = to_unit(images[:max_images])
    each = _seconds(lambda: encode(block).mean) / len(block)
    return Part("encoding", f"{len(images):,} images", len(images) * each)


def _generation(
    model: EmbeddedDiffusion, config: Any, dataset: Dataset, max_images: int
) -> Part:
    network, count = model.denoiser.network, config.ipc * dataset.num_classes
    weights = network.initial_weights(derive_key(0))
    predict = predictor_of(network, weights, dataset.num_classes, config.d4m_guidance)
    block = min(count, max(1, max_images // 2))
    latents = tf.zeros([block, *model.latent_shape])
    labels = tf.zeros([block], tf.int32)
    each = _seconds(lambda: predict(latents, tf.constant(1.0), labels)) / block
    steps = len(ddim_times(config.d4m_steps, config.d4m_strength))
    said = f"{count:,} images, {steps} steps each"
    return Part("generation", said, count * steps * each)


def _seconds(work: Callable[[], tf.Tensor]) -> float:
    work().numpy()  # Traces the graph.
    began = time.perf_counter()
    work().numpy()
    return time.perf_counter() - began
