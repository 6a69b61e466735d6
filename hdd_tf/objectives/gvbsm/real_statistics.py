"""The statistics of the real images in a network of the pool, kept beside it."""

import contextlib
import io
import pathlib

import numpy as np
import tensorflow as tf

from hdd_tf.augment.padded_crop import crop_padded, draw_offsets
from hdd_tf.augment.resized_crop import draw_flips, flip_images
from hdd_tf.data.dataset import Dataset
from hdd_tf.errors import InputError, one_line
from hdd_tf.files import atomic
from hdd_tf.files.npz_file import read_npz, write_npz
from hdd_tf.networks.layer_inputs import LayerInputs
from hdd_tf.objectives.gvbsm.statistics import StatisticsLayout
from hdd_tf.progress import progress_bar
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.signals import interruptions_named
from hdd_tf.training.experts import ExpertBuffer, Experts

_FILE = "statistics_000.npz"
# The streams of random numbers under a batch's key.
_WINDOWS, _FLIPS = 0, 1


def real_statistics(
    inputs: LayerInputs,
    layout: StatisticsLayout,
    experts: Experts,
    buffer: ExpertBuffer,
    dataset: Dataset,
    seed: int,
    progress: bool,
) -> tf.Tensor:
    """Returns the statistics of all real images, measured or read from the buffer.

    Those of maps that enter convolutions are means over batches, as the network was
    trained on them: shuffled, shifted and mirrored. So a variance is a mean of batch
    variances. Those of batch norms are the moving ones.

    Args:
        inputs: Reader of the network's maps.
        layout: Where each statistic stands in a vector.
        experts: The trained network.
        buffer: Buffer that keeps it, and its statistics.
        dataset: Data set with the real images.
        seed: Seed of order and augmentation, that of the buffer.
        progress: True to show a progress bar.

    Returns:
        `[S]` float32.

    Raises:
        InputError: the file of the statistics is damaged.
        InterruptedRunError: a signal came.
    """
    file = buffer.path / _FILE
    if file.exists():
        return tf.constant(_read(file, layout.size))
    weights = [weight[0] for weight in experts.trained]
    state = [values[0] for values in experts.state]
    measured = measure_batches(
        inputs, layout, weights, state, dataset, buffer.protocol, seed, progress
    )
    values = layout.with_moving(tf.constant(measured, tf.float32), state).numpy()
    target = io.BytesIO()
    write_npz(target, {"values": values})
    # A directory of finished networks may be read-only; then they are measured again.
    with contextlib.suppress(OSError):
        atomic.write_bytes(file, target.getvalue())
    return tf.constant(values)


def measure_batches(
    inputs: LayerInputs,
    layout: StatisticsLayout,
    weights: list[tf.Tensor],
    state: list[tf.Tensor],
    dataset: Dataset,
    protocol: TrainingProtocol,
    seed: int,
    progress: bool = False,
) -> np.ndarray:
    """Returns the mean over batches of the statistics of the real images.

    Args:
        inputs: Reader of the network's maps.
        layout: Where each statistic stands in a vector.
        weights: Weights of the network.
        state: State of the network.
        dataset: Data set with the real images.
        protocol: Protocol whose batches and augmentation the statistics are of.
        seed: Seed of order and augmentation.
        progress: True to show a progress bar.

    Returns:
        `[S]` float64; each batch counts by its number of images.
    """
    images, normalise = dataset.training.images, dataset.normalisation.tensors()
    count, size, padding = len(images), protocol.batch_size, protocol.padded_crop

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, *dataset.image_shape], tf.uint8),
            tf.TensorSpec([2], tf.int32),
        ],
        autograph=False,
    )
    def measure(pixels: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        number = tf.shape(pixels)[0]
        offsets = draw_offsets(derive_key(key, _WINDOWS), number, padding)
        pixels = crop_padded(pixels, offsets, padding)
        if protocol.flip:
            flips = draw_flips(derive_key(key, _FLIPS), number)
            pixels = flip_images(pixels, flips)
        return layout.measure(inputs(weights, normalise(pixels), state).maps)

    key = derive_key(seed, Purpose.REAL_STATISTICS)
    order = tf.random.experimental.stateless_shuffle(tf.range(count), key).numpy()
    total = np.zeros(layout.size)
    with (
        interruptions_named(),
        progress_bar("real statistics", count, "image", progress) as bar,
    ):
        for batch, first in enumerate(range(0, count, size)):
            part = images[order[first : first + size]]
            total += len(part) / count * measure(part, derive_key(key, batch)).numpy()
            bar.update(len(part))
    return total


def _read(file: pathlib.Path, size: int) -> np.ndarray:
    try:
        return read_npz(file, {"values": (np.float32, (size,))})["values"]
    except (OSError, ValueError) as error:
        raise InputError(
            f"{file} cannot be read ({one_line(error)}): mend that, or move it away, "
            "and these statistics are measured again"
        ) from error
