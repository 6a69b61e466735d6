"""Instance normalisation: each channel of each image to zero mean, unit variance."""

import keras
import tensorflow as tf

EPSILON = 1e-5  # That of the published networks; Keras' own default is 1e-3.


def instance_moments(
    images: tf.Tensor, epsilon: float = EPSILON
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the mean and the inverse standard deviation of each image's channels.

    Args:
        images: `[n, h, w, c]` float tensor.
        epsilon: Number added to the variance, > 0.

    Returns:
        `mean` and `1 / sqrt(variance + epsilon)`, each `[n, 1, 1, c]`.
    """
    # One pass for both sums: on a CPU these maps are bound by memory, not arithmetic.
    mean = tf.reduce_mean(images, axis=[1, 2], keepdims=True)
    mean_square = tf.reduce_mean(images * images, axis=[1, 2], keepdims=True)
    return mean, inverse_deviation(mean, mean_square, epsilon)


def inverse_deviation(
    mean: tf.Tensor, mean_square: tf.Tensor, epsilon: float = EPSILON
) -> tf.Tensor:
    """Returns `1 / sqrt(variance + epsilon)`.

    Args:
        mean: Mean of some numbers, of any shape.
        mean_square: Mean of their squares, of the same shape.
        epsilon: Number added to the variance, > 0.

    Returns:
        Tensor of that shape.
    """
    # The difference can round below zero on a flat image.
    variance = tf.maximum(mean_square - mean * mean, 0.0)
    return tf.math.rsqrt(variance + epsilon)


@keras.saving.register_keras_serializable(package="hdd_tf")
class InstanceNormalization(keras.layers.Layer):
    """Normalises `[n, h, w, c]` images per image and channel, then scales and shifts.

    This is the plain form, for networks that are not in a hot path. It is also the
    reference of the fused block in `conv_block.py`.

    Args:
        epsilon: Number added to the variance, > 0.
        **kwargs: Arguments of `keras.layers.Layer`. With the policy `mixed_bfloat16`
            the moments are float32, and the output is bfloat16.

    Raises:
        ValueError: `epsilon` is not positive.
    """

    def __init__(self, epsilon: float = EPSILON, **kwargs: object) -> None:
        super().__init__(autocast=False, **kwargs)
        if not epsilon > 0:
            raise ValueError(f"`epsilon` must be positive. Received: {epsilon}.")
        self.epsilon = epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the scale `gamma` and the shift `beta`, one per channel."""
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(
            name="gamma", shape=shape, initializer="ones", autocast=False
        )
        self.beta = self.add_weight(
            name="beta", shape=shape, initializer="zeros", autocast=False
        )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the normalised `inputs`, of the same shape."""
        inputs = tf.cast(inputs, self.variable_dtype)
        mean, inverse = instance_moments(inputs, self.epsilon)
        gamma = tf.convert_to_tensor(self.gamma)
        normalised = (inputs - mean) * (inverse * gamma) + self.beta
        return tf.cast(normalised, self.compute_dtype)

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "epsilon": self.epsilon}
