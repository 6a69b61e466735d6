"""The layers that the autoencoder and the denoiser are built of."""

import math

import keras
import tensorflow as tf

from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.initialisation import FanInInitialisation

# Channels of all maps are multiples of it.
GROUPS = 8
# The names of layers that start at zero start so.
_ZERO = "zero_"
# Whatever Keras' settings say.
_FLOAT32 = {"dtype": "float32"}
_PLACED = {**_FLOAT32, "data_format": "channels_last"}


class Builder:
    """Builds layers with names that are unique in their model.

    Args:
        part: Name of the part of the model that it builds.
    """

    def __init__(self, part: str) -> None:
        self._part = part
        self._count = 0

    def conv(
        self, maps: tf.Tensor, channels: int, strides: int = 1, zero: bool = False
    ) -> tf.Tensor:
        """Returns a 3x3 convolution with bias; it starts at zero if asked to."""
        layer = keras.layers.Conv2D(
            channels, 3, strides, "same", name=self._name("conv", zero), **_PLACED
        )
        return layer(maps)

    def silu(self, values: tf.Tensor) -> tf.Tensor:
        """Returns x sigmoid(x)."""
        return keras.layers.Activation("silu", **_FLOAT32)(values)

    def norm(self, maps: tf.Tensor) -> tf.Tensor:
        """Returns group norm."""
        return keras.layers.GroupNormalization(GROUPS, epsilon=1e-5, **_FLOAT32)(maps)

    def dense(self, values: tf.Tensor, units: int, bias: bool = True) -> tf.Tensor:
        """Returns a dense layer."""
        name = self._name("dense")
        layer = keras.layers.Dense(units, use_bias=bias, name=name, **_FLOAT32)
        return layer(values)

    def double(self, maps: tf.Tensor, like: tf.Tensor | None = None) -> tf.Tensor:
        """Returns maps of twice the size, cut to the size of others.

        Args:
            maps: `[n, h, w, c]`.
            like: Maps of odd size, halved to `maps`; None to keep all.
        """
        maps = keras.layers.UpSampling2D(2, interpolation="nearest", **_PLACED)(maps)
        return maps if like is None else self.cut(maps, *like.shape[1:3])

    def cut(self, maps: tf.Tensor, height: int, width: int) -> tf.Tensor:
        """Returns the first rows and columns of maps."""
        rest = maps.shape[1] - height, maps.shape[2] - width
        if not any(rest):
            return maps
        return keras.layers.Cropping2D(tuple((0, r) for r in rest), **_PLACED)(maps)

    def pad(self, maps: tf.Tensor, multiple: int) -> tf.Tensor:
        """Returns maps with zeros below and to the right, to multiples of a size."""
        rest = tuple((0, -side % multiple) for side in maps.shape[1:3])
        if rest == ((0, 0), (0, 0)):
            return maps
        return keras.layers.ZeroPadding2D(rest, **_PLACED)(maps)

    def join(self, maps: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
        """Returns the channels of both."""
        return keras.layers.Concatenate(**_FLOAT32)([maps, others])

    def residual(
        self, maps: tf.Tensor, channels: int, condition: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Returns a residual block.

        Its condition gives a scale and a shift of each channel between the two
        convolutions, of which the second starts at zero.

        Args:
            maps: `[n, h, w, i]`.
            channels: Number of channels o of the result.
            condition: `[n, e]`, or None.
        """
        inner = self.norm(self.conv(self.silu(self.norm(maps)), channels))
        if condition is not None:
            both = self.dense(self.silu(condition), 2 * channels)
            both = keras.layers.Reshape((1, 1, 2 * channels), **_FLOAT32)(both)
            scale, shift = both[..., :channels], both[..., channels:]
            inner = inner * (1.0 + scale) + shift
        inner = self.conv(self.silu(inner), channels, zero=True)
        if maps.shape[-1] != channels:
            maps = keras.layers.Conv2D(
                channels, 1, name=self._name("shortcut"), **_PLACED
            )(maps)
        return keras.layers.Add(**_FLOAT32)([maps, inner])

    def attention(self, maps: tf.Tensor, heads: int) -> tf.Tensor:
        """Returns maps plus the self-attention of all their places, after a norm."""
        _, height, width, channels = maps.shape
        places = keras.layers.Reshape((height * width, channels), **_FLOAT32)
        rows = places(self.norm(maps))
        seen = keras.layers.MultiHeadAttention(
            heads, channels // heads, name=self._name("attention"), **_FLOAT32
        )(rows, rows)
        seen = keras.layers.Reshape((height, width, channels), **_FLOAT32)(seen)
        return keras.layers.Add(**_FLOAT32)([maps, seen])

    def _name(self, kind: str, zero: bool = False) -> str:
        self._count += 1
        return f"{_ZERO * zero}{self._part}_{kind}_{self._count}"


class GenerativeNetwork(FunctionalNetwork):
    """A network whose output is no logits, with weights drawn from a key.

    Kernels and biases start as those of the classifiers, but for layers that start at
    zero. All weights are one vector: the optimiser and the average of hundreds of small
    weights would be most of the time of tracing a training.

    Args:
        model: Built Keras model.
        averaged: True if the running average of the weights is its state.

    Attributes:
        model_shapes: Shapes of the model's weights, in their order in the vector.
    """

    def __init__(self, model: keras.Model, averaged: bool) -> None:
        drawn = FanInInitialisation(model)
        zero = [
            any(part.startswith(_ZERO) for part in variable.path.split("/"))
            for variable in model.trainable_variables
        ]

        def draw(key: tf.Tensor) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
            weights = [
                tf.zeros_like(weight) if starts_at_zero else weight
                for weight, starts_at_zero in zip(drawn(key)[0], zero, strict=True)
            ]
            vector = tf.concat([tf.reshape(weight, [-1]) for weight in weights], axis=0)
            return [vector], [vector] if averaged else []

        super().__init__(model, draw)
        self.averaged = averaged
        self.model_shapes = [tuple(v.shape) for v in model.trainable_variables]

    @property
    def weight_shapes(self) -> list[tuple[int, ...]]:
        """Shape of the vector of all weights."""
        return [(sum(map(math.prod, self.model_shapes)),)]

    @property
    def state_specs(self) -> list[tf.TensorSpec]:
        """Shape and dtype of the average; nothing without one."""
        if not self.averaged:
            return []
        return [tf.TensorSpec(shape, tf.float32) for shape in self.weight_shapes]

    def of_model(self, weights: list[tf.Tensor]) -> list[tf.Tensor]:
        """Returns the weights in the shapes of the model."""
        parts = tf.split(weights[0], [math.prod(shape) for shape in self.model_shapes])
        pairs = zip(parts, self.model_shapes, strict=True)
        return [tf.reshape(part, shape) for part, shape in pairs]

    def apply(self, weights: list[tf.Tensor], inputs: list[tf.Tensor]) -> tf.Tensor:
        """Returns the output, or a list of outputs, of the network."""
        return self.model.stateless_call(
            self.of_model(weights), [], inputs, training=True
        )[0]
