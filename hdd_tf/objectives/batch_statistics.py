"""ConvNets with batch norm in matching: the batch is all images of an iteration.

Batch norm in training mode couples all images: mean and variance of a channel are those
of all real images of an iteration, and again those of all synthetic ones, through
which the gradient flows. So images are taken block by block of the network, and within
a block in chunks that fit memory: first the sums of the channels over all chunks, then
the normalised maps, of which only pooled ones and what is read of them are kept. The
split changes nothing but the order of sums.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from hdd_tf.networks.layers.instance_norm import EPSILON
from hdd_tf.networks.plain_layers import published_padding

# (maps `[n, h, w, c]` of a chunk, number of the chunk, tensors that all chunks share)
# -> tensors of the chunk.
_OfChunk = Callable[..., tuple[tf.Tensor, ...]]


class BatchConvNet:
    """The ConvNet of `networks/convnet.py` with batch norm, by statistics of a batch.

    Args:
        image_shape: `(height, width, channels)`.
        depth: Number of blocks.
        read: Function from the activations `[n, h, w, c]` of a block that is not the
            last to `[n, k]` vectors, each of its own image alone.
        max_images: Largest number of images of one forward pass, >= 1.
        dtype: Dtype of the convolutions' factors; statistics are float32.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        depth: int,
        read: Callable[[tf.Tensor], tf.Tensor],
        max_images: int,
        dtype: tf.DType = tf.float32,
    ) -> None:
        self._paddings = [published_padding(image_shape, 3)] + [1] * (depth - 1)
        self._read = read
        self._max_images = max_images
        self._dtype = dtype

    def vectors(
        self,
        weights: list[tf.Tensor],
        images: tf.Tensor,
        counted: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Returns what is read of the blocks, and the features, of images.

        Args:
            weights: Kernel, gamma and beta of each block, and whatever follows. No
                gradient flows to them if there are more images than `max_images`.
            images: `[n, h, w, c]` normalised images.
            counted: `[n]` weights of the images in the statistics, 0 or 1; None for 1.

        Returns:
            `[n, d]`.
        """
        if counted is None:
            counted = tf.ones_like(images[:, 0, 0, 0])
        found, maps = [], images
        for block, padding in enumerate(self._paddings):
            is_last = block == len(self._paddings) - 1
            kernel, gamma, beta = weights[3 * block : 3 * block + 3]
            of_block = _Block(kernel, gamma, beta, padding, self._dtype)
            maps, *read = self._apply(of_block, maps, counted, is_last)
            found += read
        found.append(tf.reshape(maps, [maps.shape[0], -1]))
        return tf.concat(found, axis=-1)

    def _apply(
        self, block: "_Block", inputs: tf.Tensor, counted: tf.Tensor, is_last: bool
    ) -> tuple[tf.Tensor, ...]:
        """Returns the pooled maps, and unless the block is the last what is read."""
        count = inputs.shape[0]
        positions = tf.reduce_sum(counted) * float(block.positions(inputs))

        def finish(maps: tf.Tensor, sums: tf.Tensor) -> tuple[tf.Tensor, ...]:
            active = block.activate(maps, sums / positions)
            pooled = tf.nn.avg_pool2d(active, 2, 2, "VALID")
            return (pooled,) if is_last else (pooled, self._read(active))

        if count <= self._max_images:
            maps = block.convolve(inputs)
            return finish(maps, _sums(maps, counted))
        num_chunks = -(-count // self._max_images)
        chunk = -(-count // num_chunks)
        padding = num_chunks * chunk - count
        parts = tf.pad(inputs, [[0, padding], [0, 0], [0, 0], [0, 0]])
        parts = tf.reshape(parts, [num_chunks, chunk, *inputs.shape[1:]])
        counts = tf.reshape(tf.pad(counted, [[0, padding]]), [num_chunks, chunk])
        (sums,) = _over_chunks(
            lambda part, index: (_sums(block.convolve(part), counts[index]),), 1, parts
        )
        outputs = _over_chunks(
            lambda part, index, total: finish(block.convolve(part), total),
            1 if is_last else 2,
            parts,
            tf.reduce_sum(sums, axis=0),
        )
        return tuple(tf.reshape(x, [-1, *x.shape[2:]])[:count] for x in outputs)


class _Block:
    """Convolution, batch norm and ReLU of one block."""

    def __init__(
        self,
        kernel: tf.Tensor,
        gamma: tf.Tensor,
        beta: tf.Tensor,
        padding: int,
        dtype: tf.DType,
    ) -> None:
        self._kernel = kernel
        self._gamma = gamma
        self._beta = beta
        self._padding = padding
        self._dtype = dtype

    def positions(self, inputs: tf.Tensor) -> int:
        """Returns the number of positions of an image's map."""
        height, width = (side + 2 * (self._padding - 1) for side in inputs.shape[1:3])
        return height * width

    def convolve(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the maps before the norm, without a bias, which it would remove."""
        rows = [self._padding - 1] * 2
        if self._padding > 1:
            inputs = tf.pad(inputs, [[0, 0], rows, rows, [0, 0]])
        factors = (tf.cast(x, self._dtype) for x in (inputs, self._kernel))
        return tf.cast(tf.nn.conv2d(*factors, 1, "SAME"), inputs.dtype)

    def activate(self, maps: tf.Tensor, moments: tf.Tensor) -> tf.Tensor:
        """Returns the activations; `moments` are the means of x and x^2, `[2, c]`."""
        mean, mean_square = tf.unstack(moments)
        variance = tf.maximum(mean_square - mean * mean, 0.0)
        scale = self._gamma * tf.math.rsqrt(variance + EPSILON)
        return tf.nn.relu(maps * scale + (self._beta - scale * mean))


def _sums(maps: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    """Returns the channels' sums of x and of x^2 over all counted images, `[2, c]`."""
    each = tf.stack(
        [tf.reduce_sum(maps, axis=[1, 2]), tf.reduce_sum(maps * maps, axis=[1, 2])]
    )
    return tf.reduce_sum(each * counted[:, None], axis=1)


def _over_chunks(
    of_chunk: _OfChunk, outputs: int, parts: tf.Tensor, *shared: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """Applies a function to chunks, one after the other.

    The gradient computes each chunk again, or it would keep the maps of all of them.

    Args:
        of_chunk: The function; see `_OfChunk`.
        outputs: Number of tensors that it returns.
        parts: `[chunks, n, ...]`.
        *shared: Tensors that all chunks share, to which gradients flow too.

    Returns:
        The function's tensors of all chunks, stacked.
    """
    index = tf.range(parts.shape[0])

    @tf.custom_gradient
    def apply(parts: tf.Tensor, *shared: tf.Tensor) -> Any:
        values = tf.map_fn(
            lambda part: of_chunk(part[0], part[1], *shared),
            (parts, index),
            fn_output_signature=(parts.dtype,) * outputs,
            parallel_iterations=1,
        )

        def gradient(*upstream: tf.Tensor) -> list[tf.Tensor]:
            def pull(chunk: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
                part, number, *cotangents = chunk
                with tf.GradientTape() as tape:
                    tape.watch([part, *shared])
                    found = of_chunk(part, number, *shared)
                sources = [part, *shared]
                return tuple(tape.gradient(found, sources, output_gradients=cotangents))

            to_parts, *to_shared = tf.map_fn(
                pull,
                (parts, index, *upstream),
                fn_output_signature=(parts.dtype,) * (1 + len(shared)),
                parallel_iterations=1,
            )
            return [to_parts, *(tf.reduce_sum(g, axis=0) for g in to_shared)]

        return values, gradient

    return tuple(apply(parts, *shared))
