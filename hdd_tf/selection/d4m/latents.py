"""The latents of the training split, for one run: as distributions, or plain images."""

import functools
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hdd_tf.data.image_rows import gather_rows, hold
from hdd_tf.data.memory import check_room
from hdd_tf.data.stored_images import ImageRows
from hdd_tf.selection.d4m import autoencoder
from hdd_tf.selection.d4m.autoencoder import Codes
from hdd_tf.selection.d4m.layers import GenerativeNetwork

# (`[n, h, w, c]` images in [-1, 1]) -> distributions of their latents
Encode = Callable[[tf.Tensor], Codes]


def to_unit(images: tf.Tensor) -> tf.Tensor:
    """Returns float32 images in [-1, 1] of images on the 0-255 scale."""
    return tf.cast(images, tf.float32) * (2.0 / 255.0) - 1.0


def to_pixels(images: np.ndarray) -> np.ndarray:
    """Returns uint8 images, rounded and clipped, of images in [-1, 1]."""
    return np.clip(np.rint((images + 1.0) * 127.5), 0, 255).astype(np.uint8)


class PlainLatents:
    """Images that are latents themselves.

    Args:
        images: `[n, h, w, c]` uint8.
    """

    def __init__(self, images: ImageRows) -> None:
        self._images = hold(images)

    def sample(self, rows: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """Returns the latents `[b, h, w, c]` at rows; nothing of them is random."""
        del key
        return to_unit(gather_rows(self._images, rows))


class EncodedLatents:
    """Latents that an autoencoder sees in the training split.

    They are divided by the standard deviation of all means.

    Args:
        images: `[n, h, w, c]` uint8.
        encode: Encoder.
        max_images: Largest number of images of a forward pass.
        on_images: Function of the number of images that were just encoded.

    Attributes:
        scale: Standard deviation of all means, > 0.

    Raises:
        InputError: memory does not hold the latents.
    """

    def __init__(
        self,
        images: ImageRows,
        encode: Encode,
        max_images: int,
        on_images: Callable[[int], object] = lambda images: None,
    ) -> None:
        shape = len(images), *autoencoder.latent_shape(images.shape[1:])
        check_room(
            f"the diffusion model: latents of {len(images):,} images",
            # Both arrays, and the tensor of one while its array is still there.
            12 * math.prod(shape),
            "give a smaller --image_size, or fewer --classes",
        )
        means, deviations = (np.empty(shape, np.float32) for _ in range(2))
        for start in range(0, len(images), max_images):
            part = slice(start, start + max_images)
            block = images[part]
            found = encode(to_unit(block))
            means[part], deviations[part] = (value.numpy() for value in found)
            on_images(len(block))
        self.scale = max(float(means.std(dtype=np.float64)), 1e-6)
        means /= self.scale
        deviations /= self.scale
        with tf.device("CPU:0"):
            self._means = tf.constant(means)
            del means
            self._deviations = tf.constant(deviations)

    def sample(self, rows: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """Draws latents `[b, h, w, z]` of images.

        Args:
            rows: `[b]` rows of the training split.
            key: `[2]` int32 key of the draw.
        """
        with tf.device("CPU:0"):
            means = tf.gather(self._means, rows)
            deviations = tf.gather(self._deviations, rows)
        return means + deviations * tf.random.stateless_normal(tf.shape(means), key)


Latents = PlainLatents | EncodedLatents


def encoder_of(network: GenerativeNetwork, weights: list[tf.Tensor]) -> Encode:
    """Returns the encoder of an autoencoder, traced once for any number of images."""
    return tf.function(
        functools.partial(autoencoder.encode, network, weights),
        input_signature=[tf.TensorSpec([None, *network.model.input[0].shape[1:]])],
        autograph=False,
    )


def decoder_of(
    network: GenerativeNetwork, weights: list[tf.Tensor]
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns the decoder of an autoencoder, traced once for any number of latents."""
    return tf.function(
        functools.partial(autoencoder.decode, network, weights),
        input_signature=[tf.TensorSpec([None, *network.model.input[1].shape[1:]])],
        autograph=False,
    )
