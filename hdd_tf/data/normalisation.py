"""Pixels to networks' inputs and back, by channel statistics or whitening (ZCA).

All conversions from images on the 0-255 scale to a network's input, and from learnt
inputs to pixels, use this module.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hdd_tf.data.stored_images import ImageRows, chunks_of
from hdd_tf.exact_product import exact_matmul

# Values in a block of the covariance's sum. Python handles signals only between blocks,
# so a block has a few MB.
_BLOCK_VALUES = 2**21


@dataclasses.dataclass(frozen=True, eq=False)
class Whitening:
    """ZCA whitening: decorrelates the pixels of a training split.

        z = (x - mean) U diag((s + epsilon)^-1/2) U',   x in [0, 1], flattened h, w, c

    Source: Guo et al., "Towards Lossless Dataset Distillation via Difficulty-Aligned
    Trajectory Matching" (DATM), ICLR 2024, and its released program.

    Attributes:
        mean: `[d]` float32, mean of the split; d = h * w * c.
        vectors: `[d, d]` float32, whose columns are the covariance's eigenvectors U.
        values: `[d]` float32, the covariance's eigenvalues s >= 0.
        epsilon: Number added to each eigenvalue, > 0.

    Raises:
        ValueError: the parts do not fit together, or are not finite.
    """

    mean: np.ndarray
    vectors: np.ndarray
    values: np.ndarray
    epsilon: float = 0.1

    def __post_init__(self) -> None:
        size = self.mean.size
        for name, shape in (
            ("mean", (size,)),
            ("vectors", (size, size)),
            ("values", (size,)),
        ):
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.float32:
                raise ValueError(
                    f"`{name}` must be float32 of shape {shape}. "
                    f"Received: {array.dtype} {array.shape}."
                )
            if not np.isfinite(array).all():
                raise ValueError(f"`{name}` must be finite.")
        if (self.values < 0).any() or not 0 < self.epsilon < np.inf:
            raise ValueError("`values` must be >= 0, and `epsilon` > 0 and finite.")

    def equals(self, other: "Whitening | None") -> bool:
        """Returns whether another whitening has the same numbers."""
        return other is not None and (
            self.epsilon == other.epsilon
            and np.array_equal(self.mean, other.mean)
            and np.array_equal(self.values, other.values)
            and np.array_equal(self.vectors, other.vectors)
        )

    @functools.cached_property
    def forward_matrix(self) -> np.ndarray:
        """The symmetric `[d, d]` float32 matrix that whitens rows."""
        return self._power(-0.5)

    @functools.cached_property
    def backward_matrix(self) -> np.ndarray:
        """The inverse of `forward_matrix`, float32."""
        return self._power(0.5)

    def _power(self, exponent: float) -> np.ndarray:
        vectors = self.vectors.astype(np.float64)
        scales = (self.values.astype(np.float64) + self.epsilon) ** exponent
        return ((vectors * scales) @ vectors.T).astype(np.float32)


def whitening_of(images: ImageRows, epsilon: float = 0.1) -> Whitening:
    """Returns the whitening of a training split.

    Args:
        images: `[n, h, w, c]` uint8, n >= 2.
        epsilon: Number added to each eigenvalue, > 0.

    Returns:
        The whitening. Its covariance is computed in float64 with the divisor n - 1, and
        in blocks of images, so that there is no float copy of the split.

    Raises:
        ValueError: there are fewer than two images, or they are not uint8.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or len(images) < 2:
        raise ValueError(
            "`images` must be uint8 [n, h, w, c] with n >= 2. "
            f"Received: {images.dtype} {images.shape}."
        )
    count, size = len(images), images.size // len(images)
    # A sum of 8-bit values is exact in 64 bits.
    total = np.zeros(size, np.int64)
    for part in chunks_of(images):
        total += part.reshape(len(part), -1).sum(axis=0, dtype=np.int64)
    mean = total / count / 255.0
    scatter = np.zeros((size, size))
    rows = max(1, _BLOCK_VALUES // size)
    for start in range(0, count, rows):
        block = images[start : start + rows]
        centred = block.reshape(len(block), -1) / 255.0 - mean
        scatter += centred.T @ centred
    values, vectors = np.linalg.eigh(scatter / (count - 1))
    # Eigenvalues of a covariance are negative only by rounding.
    values = np.maximum(values, 0.0)
    return Whitening(
        mean.astype(np.float32),
        vectors.astype(np.float32),
        values.astype(np.float32),
        epsilon,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Normalisation:
    """The map from pixels to a network's input.

    Attributes:
        mean: Mean of each channel on the 0-1 scale.
        std: Standard deviation of each channel on the 0-1 scale, > 0.
        whitening: Whitening that replaces `mean` and `std`, or None.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    whitening: Whitening | None = None

    def normalise(self, images: np.ndarray) -> np.ndarray:
        """Returns `(images / 255 - mean) / std`, or whitened images, as float32.

        Args:
            images: `[..., h, w, c]` uint8 or float on the 0-255 scale.
        """
        scaled = images.astype(np.float32) / np.float32(255)
        if self.whitening is not None:
            whitening = self.whitening
            rows = scaled.reshape(-1, whitening.mean.size) - whitening.mean
            return (rows @ whitening.forward_matrix).reshape(images.shape)
        return (scaled - np.asarray(self.mean, np.float32)) / np.asarray(
            self.std, np.float32
        )

    def to_pixels(self, images: np.ndarray) -> np.ndarray:
        """Returns float32 images on the 0-255 scale, not clipped.

        Args:
            images: `[..., h, w, c]` float32 inputs of a network.
        """
        if self.whitening is not None:
            whitening = self.whitening
            rows = images.reshape(-1, whitening.mean.size) @ whitening.backward_matrix
            pixels = (rows + whitening.mean) * np.float32(255.0)
            return pixels.reshape(images.shape).astype(np.float32)
        std = np.asarray(self.std, np.float32)
        mean = np.asarray(self.mean, np.float32)
        return ((images * std + mean) * 255.0).astype(np.float32)

    def tensors(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """Returns `normalise` as a function of tensors.

        Call it outside of graphs: it creates the function's constants.

        Returns:
            A function from `[..., h, w, c]` uint8 or float pixels on the 0-255 scale
            to `[..., h, w, c]` float32.
        """
        if self.whitening is not None:
            return _Whiten(self.whitening)
        return _NormaliseChannels(self)

    def row_tensors(self, width: int) -> Callable[[tf.Tensor], tf.Tensor]:
        """Returns `tensors()` for images of one width, which is faster on a CPU.

        Args:
            width: Columns of all images.
        """
        if self.whitening is not None:
            return _Whiten(self.whitening)
        return _NormaliseRows(self, width)


class _NormaliseChannels:
    """Computes `(pixels / 255 - mean) / std`, with constants that no graph folds."""

    def __init__(self, normalisation: Normalisation) -> None:
        self._mean = tf.constant(normalisation.mean, tf.float32)
        self._std = tf.constant(normalisation.std, tf.float32)

    def __call__(self, pixels: tf.Tensor) -> tf.Tensor:
        return (tf.cast(pixels, tf.float32) / 255.0 - self._mean) / self._std


class _NormaliseRows:
    """Computes `(pixels / 255 - mean) / std` by rows of pixels.

    Broadcasting over an innermost dimension of 3 is slow: for a batch of real images it
    takes as long as all other work before the network.
    """

    def __init__(self, normalisation: Normalisation, width: int) -> None:
        self._mean = tf.tile(tf.constant(normalisation.mean, tf.float32), [width])
        self._std = tf.tile(tf.constant(normalisation.std, tf.float32), [width])

    def __call__(self, pixels: tf.Tensor) -> tf.Tensor:
        rows = tf.reshape(tf.cast(pixels, tf.float32), [-1, self._mean.shape[0]])
        rows = (rows / 255.0 - self._mean) / self._std
        return tf.reshape(rows, tf.shape(pixels))


class _Whiten:
    """Whitens pixels by one matrix product."""

    def __init__(self, whitening: Whitening) -> None:
        self._mean = tf.constant(whitening.mean)
        self._matrix = tf.constant(whitening.forward_matrix)

    def __call__(self, pixels: tf.Tensor) -> tf.Tensor:
        rows = tf.reshape(tf.cast(pixels, tf.float32) / 255.0, [-1, len(self._mean)])
        whitened = exact_matmul(rows - self._mean, self._matrix)
        return tf.ensure_shape(tf.reshape(whitened, tf.shape(pixels)), pixels.shape)
