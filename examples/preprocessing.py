"""From pixels to what networks take, as a Keras layer, for the examples here."""

import default_keras  # noqa: F401
import keras
import numpy as np


class Whitening(keras.layers.Layer):
    """ZCA of `[n, h, w, c]` images on the 0-255 scale.

    Args:
        mean: `[d]` of images scaled to 0-1 and flattened; d = h * w * c.
        vectors: `[d, d]`, an eigenvector of the covariance a column.
        values: `[d]` eigenvalues.
        epsilon: What is added to each eigenvalue.
    """

    def __init__(
        self, mean: np.ndarray, vectors: np.ndarray, values: np.ndarray, epsilon: float
    ) -> None:
        super().__init__()
        scales = (values.astype(np.float64) + epsilon) ** -0.5
        self.matrix = ((vectors.astype(np.float64) * scales) @ vectors.T).astype("f4")
        self.mean = mean.astype("f4")

    def call(self, images: keras.KerasTensor) -> keras.KerasTensor:
        """Returns whitened images."""
        flat = keras.ops.reshape(images, (-1, len(self.mean))) / 255.0
        whitened = keras.ops.matmul(flat - self.mean, self.matrix)
        return keras.ops.reshape(whitened, (-1, *images.shape[1:]))


def preprocessing_layer(metadata: dict) -> keras.layers.Layer:
    """Returns the first layer of a network that takes images on the 0-255 scale.

    Args:
        metadata: Contents of hdd_tf.json, with the arrays of `set_files.read_extras`.
    """
    if "whitening" in metadata:
        return Whitening(**metadata["whitening"])
    return keras.layers.Normalization(
        mean=[255 * mean for mean in metadata["mean"]],
        variance=[(255 * std) ** 2 for std in metadata["std"]],
    )
