"""The block of the ConvNet, fused, as a Keras layer."""

from collections.abc import Callable

import keras
import tensorflow as tf

from hdd_tf.distributed.compilation import is_compiled_whole, times_differentiated
from hdd_tf.networks.layers.compiled_first_block import (
    convolved_relu_pool,
    is_of_few_channels,
)
from hdd_tf.networks.layers.compiled_norm import norm_relu_pool
from hdd_tf.networks.layers.compiled_pools import (
    compiles,
    pays,
    relu_pool,
    scaled_relu_pool,
)
from hdd_tf.networks.layers.instance_norm import EPSILON, instance_moments
from hdd_tf.networks.layers.ordered_norm import can_be_ordered, ordered_norm_relu_pool
from hdd_tf.networks.layers.own_gradients import average_pool, relu
from hdd_tf.networks.layers.patches import centred, patches_of


@keras.saving.register_keras_serializable(package="hdd_tf")
class ConvBlock(keras.layers.Layer):
    """3x3 convolution, instance norm with affine, ReLU, 2x2 average pooling, fused.

    Distillation spends nearly all its time in this block. Apart from the convolutions,
    that time is memory traffic over the full-size map. Two rearrangements, both exact
    for every weight, reduce the traffic:

    - `relu(g z + h) = max(g z, -h) + h`, and pooling commutes with the addition of `h`
      (constant in an image's channel), so `h` is added to the small pooled map.
    - If the input has few channels (the first layer), the mean and the variance of
      the map follow from the 3x3 patches' first and second moments, without the map:
      for z = P k, var(z) = k' Cov(P) k. With these moments the normalisation folds into
      each image's own kernel, and the map is written once, already normalised.

    The convolution has no bias, which instance normalisation would remove.

    On CPUs XLA compiles what large maps go through, with the same bits: ReLU and
    pooling (`compiled_pools.py`), and for a known number of images the norm too where
    no gradient is differentiated (`ordered_norm.py`), and all of the first layer where
    nothing is (`compiled_first_block.py`). Smaller maps are compiled too where many
    images are differentiated once.

    With Keras' policy `mixed_bfloat16` the convolution's factors and product are
    bfloat16, and so is the first layer's map up to its pooling. Moments, scale and
    shift, and what follows them, are float32. There nothing is to be the same as in
    float32, so on CPUs XLA compiles the norm too (`compiled_norm.py`), and elsewhere
    ReLU is plain, since the maximum's gradient takes more time.

    Args:
        width: Number of output channels, > 0.
        padding: Rows and columns of zeros around the input, >= 0. The published
            networks use 1, and 3 in the first layer on 28x28 images.
        with_activation: True to return the map before pooling too.
        feeds_block: True to return maps of the policy's compute dtype, for another
            block alone, which would round them in any case; else they are float32.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: `width` is not positive, or `padding` is negative.
    """

    def __init__(
        self,
        width: int,
        padding: int = 1,
        with_activation: bool = False,
        feeds_block: bool = False,
        **kwargs: object,
    ) -> None:
        # The block decides itself what is rounded.
        super().__init__(autocast=False, **kwargs)
        if width < 1 or padding < 0:
            raise ValueError(
                "`width` must be positive and `padding` not negative. "
                f"Received: {width}, {padding}."
            )
        self.width = width
        self.padding = padding
        self.with_activation = with_activation
        self.feeds_block = feeds_block

    @property
    def output_dtype(self) -> str:
        """Name of the type of the maps that are returned."""
        return self.compute_dtype if self.feeds_block else self.variable_dtype

    @property
    def _rounds(self) -> bool:
        return self.compute_dtype != self.variable_dtype

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the kernel `[3, 3, c, width]`, and `gamma` and `beta` `[width]`."""
        channels = input_shape[-1]
        width = self.width
        self.kernel = self._add_float32("kernel", (3, 3, channels, width))
        self.gamma = self._add_float32("gamma", (width,), "ones")
        self.beta = self._add_float32("beta", (width,), "zeros")

    def call(self, inputs: tf.Tensor) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
        """Maps `[n, h, w, c]` images to `[n, h // 2, w // 2, width]` maps.

        These shapes are for padding 1. Each further row of padding adds two rows before
        pooling.

        Returns:
            The map after pooling; with `with_activation` also the `[n, h, w, width]`
            map before pooling.
        """
        kernel = tf.convert_to_tensor(self.kernel)
        gamma = tf.convert_to_tensor(self.gamma)
        beta = tf.convert_to_tensor(self.beta)
        # Patches repeat each pixel nine times, which pays off only while they are much
        # smaller than the map.
        if 9 * inputs.shape[-1] * 2 <= self.width:
            pooled, activation = self._from_patches(inputs, kernel, gamma, beta)
        else:
            pooled, activation = self._from_map(inputs, kernel, gamma, beta)
        pooled = tf.cast(pooled, self.output_dtype)
        return (pooled, activation()) if self.with_activation else pooled

    def _add_float32(
        self, name: str, shape: tuple[int | None, ...], initializer: str | None = None
    ) -> keras.Variable:
        return self.add_weight(
            name=name, shape=shape, initializer=initializer, autocast=False
        )

    def _from_map(
        self, inputs: tf.Tensor, kernel: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[], tf.Tensor]]:
        inputs, kernel = (tf.cast(x, self.compute_dtype) for x in (inputs, kernel))
        # With explicit padding TensorFlow's gradient of a convolution takes twice the
        # time on a CPU, in bfloat16 a hundred times.
        if self.padding != 1:
            rows = [self.padding, self.padding]
            inputs = tf.pad(inputs, [[0, 0], rows, rows, [0, 0]])
        padding = "SAME" if self.padding == 1 else "VALID"
        maps = tf.nn.conv2d(inputs, kernel, 1, padding)
        is_compiled = self._has_compiled_pool(maps.shape)
        if is_compiled and self._rounds:
            dtype = tf.as_dtype(self.output_dtype)
            return norm_relu_pool(maps, gamma, beta, dtype), _no_activation
        maps = tf.cast(maps, self.variable_dtype)
        if is_compiled and can_be_ordered(maps.shape) and _may_compile_more(maps, 1):
            return ordered_norm_relu_pool(maps, gamma, beta), _no_activation
        mean, inverse_deviation = instance_moments(maps)
        scale = gamma * inverse_deviation
        shift = beta - scale * mean
        if is_compiled and times_differentiated() == 0:
            return scaled_relu_pool(maps, scale, shift), _no_activation
        if self._rounds:
            activation = tf.nn.relu(maps * scale + shift)
            return average_pool(activation), lambda: activation
        clipped = tf.maximum(maps * scale, -shift)
        return average_pool(clipped) + shift, lambda: clipped + shift

    def _from_patches(
        self, inputs: tf.Tensor, kernel: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[], tf.Tensor]]:
        padded = centred(inputs, self.padding)
        height, width = padded.shape[1] - 2, padded.shape[2] - 2
        patches = patches_of(padded)
        taps = patches.shape[-1] - 1
        kernel = tf.reshape(kernel, [1, taps, self.width])
        # Moments of the taps over all positions of an image; the last tap is the
        # constant 1, so its row holds the means: [n, t, t] and [n, 1, t].
        second = tf.matmul(patches, patches, transpose_a=True) / (height * width)
        mean = second[:, taps:, :taps]
        covariance = second[:, :taps, :taps] - mean * tf.linalg.matrix_transpose(mean)
        variance = tf.reduce_sum(kernel * tf.matmul(covariance, kernel), axis=1)
        scale = gamma * tf.math.rsqrt(tf.maximum(variance, 0.0) + EPSILON)
        folded = kernel * scale[:, None]  # [n, t, width]
        shift = beta - tf.matmul(mean, folded)  # [n, 1, width]
        like_maps = tf.TensorShape([None, height, width, self.width])
        is_compiled = self._has_compiled_pool(like_maps)
        can_pass_once = not self._rounds and is_of_few_channels(padded.shape)
        if is_compiled and can_pass_once and _may_compile_more(padded, 0):
            kernels = tf.concat([folded, shift], axis=1)
            return convolved_relu_pool(padded, kernels), _no_activation
        # Products of finite numbers of this size are no NaN.
        has_nan = ~tf.reduce_all(tf.math.is_finite(shift))
        folded = tf.cast(tf.concat([folded, shift], axis=1), self.compute_dtype)
        if self._rounds:
            # Rounded pixels are cheaper than rounded patches, and the same.
            patches = patches_of(tf.cast(padded, self.compute_dtype))
        maps = tf.matmul(patches, folded)
        maps = tf.reshape(maps, [-1, height, width, self.width])
        if is_compiled:
            return relu_pool(maps, tf.as_dtype(self.output_dtype)), _no_activation
        activation = relu(maps, has_nan)
        pooled = average_pool(activation)
        return pooled, lambda: tf.cast(activation, self.variable_dtype)

    def _has_compiled_pool(self, shape: tf.TensorShape) -> bool:
        # Maps before pooling are what compiled pieces leave out.
        if self.with_activation or None in shape[1:]:
            return False
        # The first question of a process whether XLA works takes some time.
        is_worth_it = self._rounds or pays(shape, times_differentiated())
        return is_worth_it and compiles()

    def compute_output_spec(
        self, inputs: keras.KerasTensor
    ) -> keras.KerasTensor | tuple[keras.KerasTensor, keras.KerasTensor]:
        """Returns shape and dtype of each output map."""
        shapes = self.compute_output_shape(inputs.shape)
        if self.with_activation:
            dtypes = self.output_dtype, self.variable_dtype
            return tuple(map(keras.KerasTensor, shapes, dtypes))
        return keras.KerasTensor(shapes, self.output_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple:
        """Returns the shape `(n, rows, columns, width)` of each output map."""
        n, height, width, _ = input_shape
        grow = 2 * self.padding - 2
        sides = [None if s is None else s + grow for s in (height, width)]
        halves = [None if s is None else s // 2 for s in sides]
        pooled = (n, *halves, self.width)
        return (pooled, (n, *sides, self.width)) if self.with_activation else pooled

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        config = super().get_config()
        own = {"width": self.width, "padding": self.padding}
        if self.with_activation:
            own["with_activation"] = True
        if self.feeds_block:
            own["feeds_block"] = True
        return {**config, **own}


def _may_compile_more(images: tf.Tensor, times: int) -> bool:
    """Returns whether to have a piece that takes about a second to compile.

    Args:
        images: Images or maps. XLA compiles anew for each number of them, so that it is
            to be the same in every call.
        times: How often the piece can be differentiated with TensorFlow's bits.
    """
    is_apart = images.shape[0] is not None and not is_compiled_whole()
    return is_apart and times_differentiated() <= times


def _no_activation() -> tf.Tensor:
    raise AssertionError("Only blocks without activation have a compiled pool.")
