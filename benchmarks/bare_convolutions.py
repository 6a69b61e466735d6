"""The bare convolutions that a step or an epoch cannot do without, and nothing else.

Each function prepares random maps and returns a run. Maps of different blocks do not
depend on each other, which costs what a network's own maps would.
"""

import functools
from collections.abc import Callable

import tensorflow as tf
from timing import Run

from hdd_tf.distributed.class_blocks import default_max_images


class ConvolutionBlocks:
    """The 3x3 convolutions of a ConvNet's blocks on random maps.

    Args:
        num_images: Number of images n.
        image_shape: `(side, side, channels)` of the images.
        width: Channels of each block.
        depth: Number of blocks.
        precision: `float32` or `bfloat16`, of maps and kernels; `tf32` is a switch of
            the process, and float32 here.
    """

    def __init__(
        self,
        num_images: int,
        image_shape: tuple[int, int, int],
        width: int,
        depth: int = 3,
        precision: str = "float32",
    ) -> None:
        side, _, channels = image_shape
        inputs = [(side >> b, width if b else channels) for b in range(depth)]
        self._dtype = tf.bfloat16 if precision == "bfloat16" else tf.float32
        self._maps = [self._draw([num_images, s, s, c]) for s, c in inputs]
        self._kernels = [self._draw([3, 3, c, width]) for _, c in inputs]

    def forward(self) -> Run:
        """Returns a run of all forward passes."""
        maps, kernels = self._maps, self._kernels

        def values() -> list[tf.Tensor]:
            outputs = map(self._convolve, maps, kernels)
            return [output[0, 0, 0, 0] for output in outputs]

        return _in_graph(values)

    def to_images(self) -> Run:
        """Returns a run of all passes forward, and backward to the images."""
        return self._there_and_back(to_images=True, to_kernels=False)

    def training(self) -> Run:
        """Returns a run of all passes forward, and backward to the kernels."""
        return self._there_and_back(to_images=False, to_kernels=True)

    def twice(self) -> Run:
        """Returns a run of the passes of a gradient, to the images, of a gradient.

        Forward, backward to maps and kernels, and backward through all three.
        """
        maps, kernels, back = self._maps, self._kernels, self._from_above()

        def values() -> list[tf.Tensor]:
            found = []
            for images, kernel, above in zip(maps, kernels, back, strict=True):
                with tf.GradientTape() as outer:
                    outer.watch((images, above))
                    with tf.GradientTape() as tape:
                        tape.watch((images, kernel))
                        output = self._convolve(images, kernel)
                    # Gradients of a gradient pass through both.
                    below = tape.gradient(output, (images, kernel), above)
                again = outer.gradient(below, (images, above), below)
                found += [g[0, 0, 0, 0] for g in (output, *below, *again)]
            return found

        return _in_graph(values)

    def _draw(self, shape: list[int]) -> tf.Tensor:
        return tf.cast(tf.random.normal(shape), self._dtype)

    def _from_above(self) -> list[tf.Tensor]:
        """Returns what comes back from above, there already as in a network."""
        return [
            self._draw([*images.shape[:3], kernel.shape[-1]])
            for images, kernel in zip(self._maps, self._kernels, strict=True)
        ]

    @staticmethod
    def _convolve(maps: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return tf.nn.conv2d(maps, kernel, 1, "SAME")

    def _there_and_back(self, to_images: bool, to_kernels: bool) -> Run:
        maps, kernels, back = self._maps, self._kernels, self._from_above()

        def values() -> list[tf.Tensor]:
            found = []
            for block, (images, kernel) in enumerate(zip(maps, kernels, strict=True)):
                # Training needs no gradient of the images that the first block sees.
                wanted = [images] if to_images or block else []
                wanted += [kernel] if to_kernels else []
                with tf.GradientTape() as tape:
                    tape.watch(wanted)
                    output = self._convolve(images, kernel)
                gradients = tape.gradient(output, wanted, output_gradients=back[block])
                found += [output[0, 0, 0, 0], *(g[0, 0, 0, 0] for g in gradients)]
            return found

        return _in_graph(values)


def _in_graph(values: Callable[[], list[tf.Tensor]]) -> Run:
    # A function of its own has a count of traces of its own, and draws no warning.
    graph = tf.function(functools.partial(values), autograph=False)
    return lambda: [value.numpy() for value in graph()]


def _repeated(run: Run, times: int) -> Run:
    return lambda: [run() for _ in range(times)]


def step_convolutions(
    num_real: int,
    num_synthetic: int,
    image_shape: tuple[int, int, int],
    width: int,
    depth: int = 3,
    precision: str = "float32",
    synthetic_precision: str = "float32",
) -> Run:
    """Returns the convolutions of a step of matching.

    Forward passes for all real images; forward passes and the backward passes to the
    images for the synthetic ones.

    Args:
        num_real: Number of real images of all classes.
        num_synthetic: Number of synthetic images of all classes.
        image_shape: `(side, side, channels)` of the images.
        width: Channels of each block.
        depth: Number of blocks.
        precision: `float32` or `bfloat16`, of the real images.
        synthetic_precision: That of the synthetic ones: float32 in every step of ours.
    """
    # More images than a step convolves at once would only take more memory.
    passes = -(-num_real // default_max_images(image_shape, width))
    per_pass = round(num_real / passes)
    shape = image_shape, width, depth
    real = ConvolutionBlocks(per_pass, *shape, precision).forward()
    made = ConvolutionBlocks(num_synthetic, *shape, synthetic_precision).to_images()
    every_real = _repeated(real, passes)
    return lambda: (every_real(), made())


def gradient_convolutions(
    classes: int,
    real_batch: int,
    ipc: int,
    image_shape: tuple[int, int, int],
    width: int,
    depth: int = 3,
) -> Run:
    """Returns the convolutions of a step that matches gradients, class by class.

    Args:
        classes: Number of classes.
        real_batch: Real images of each class: forward, and to the kernels.
        ipc: Synthetic images of each class: forward, and backward twice.
        image_shape: `(side, side, channels)` of the images.
        width: Channels of each block.
        depth: Number of blocks.
    """
    shape = image_shape, width, depth
    real = _repeated(ConvolutionBlocks(real_batch, *shape).training(), classes)
    made = _repeated(ConvolutionBlocks(ipc, *shape).twice(), classes)
    return lambda: (real(), made())


def epoch_convolutions(
    num_images: int,
    batch_size: int,
    image_shape: tuple[int, int, int],
    width: int,
    depth: int = 3,
    precision: str = "float32",
) -> Run:
    """Returns the convolutions of an epoch of training: forward, and to the kernels.

    Args:
        num_images: Number of images of the epoch.
        batch_size: Images of an update; the last one may have fewer.
        image_shape: `(side, side, channels)` of the images.
        width: Channels of each block.
        depth: Number of blocks.
        precision: `float32` or `bfloat16`.
    """
    full, rest = divmod(num_images, batch_size)
    runs = []
    for count, times in ((batch_size, full), (rest, 1)):
        if count and times:
            blocks = ConvolutionBlocks(count, image_shape, width, depth, precision)
            runs.append(_repeated(blocks.training(), times))
    return lambda: [run() for run in runs]
