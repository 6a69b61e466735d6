"""What the embedded diffusion model costs a run, measured: updates and steps."""

import time
from collections.abc import Callable

import tensorflow as tf

from hdd_tf.data.stored_images import ImageRows
from hdd_tf.distillation.method import Work
from hdd_tf.selection.d4m.trainer import GenerativeTrainer
from hdd_tf.training.experts import ExpertBuffer


def of_training(
    name: str, buffer: ExpertBuffer, trainer: Callable[[], GenerativeTrainer]
) -> Work:
    """Returns the cost of a training, of which one update is measured.

    Args:
        name: What is trained.
        buffer: Buffer that keeps it: what it has costs nothing.
        trainer: Function that returns the training.
    """
    if not buffer.missing(1):
        return Work(name, f"found in {buffer.path}", 0.0)
    training = trainer()
    updates = buffer.protocol.epochs * training.updates_per_epoch
    each = training.time_update()
    return Work(name, f"{updates:,} updates, {each:.2f} s each", updates * each)


def of_encoding(
    encode: Callable[[tf.Tensor], tf.Tensor], images: ImageRows, max_images: int
) -> Work:
    """Returns the cost of encoding the training split, of which a block is measured.

    Args:
        encode: Encoder.
        images: `[n, h, w, c]` uint8 images.
        max_images: Largest number of images of a forward pass.
    """
    block = tf.zeros([min(max_images, len(images)), *images.shape[1:]])
    each = _seconds(lambda: encode(block)) / len(block)
    return Work("encoding", f"{len(images):,} images", len(images) * each)


def of_generation(
    predict: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor],
    latent_shape: tuple[int, int, int],
    count: int,
    block: int,
    steps: int,
) -> Work:
    """Returns the cost of denoising latents, of which a step is measured.

    Args:
        predict: The U-Net with guidance.
        latent_shape: Height, width and channels of a latent.
        count: Number of latents.
        block: Largest number of them that are denoised at once.
        steps: Steps of each.
    """
    block = min(block, count)
    latents, labels = tf.zeros([block, *latent_shape]), tf.zeros([block], tf.int32)
    each = _seconds(lambda: predict(latents, tf.constant(1.0), labels)) / block
    said = f"{count:,} images, {steps} steps each"
    return Work("generation", said, count * steps * each)


def _seconds(work: Callable[[], tf.Tensor]) -> float:
    work().numpy()  # Traces the graph.
    began = time.perf_counter()
    work().numpy()
    return time.perf_counter() - began
