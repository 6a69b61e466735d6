"""The split of the classes over replicas and blocks."""

import dataclasses
import math

import numpy as np

# Largest memory of the first layer's output in a forward pass, the largest tensor of a
# step: that of 2,560 images of 32x32 at width 128. A step then takes about 4 GiB.
FIRST_MAP_BYTES = 1280 * 2**20
# Of a smaller memory: what the program takes before the step; copies of the synthetic
# images (with velocity, gradient, its parts and its squares); and how often a step has
# the first layer's output and the patches that it is computed from, which are larger in
# a narrow network.
_SMALLER = int(5.5 * 2**30)
_TAKEN_BYTES, _COPIES, _OUTPUTS, _PATCHES, _LEAST_BYTES = 2**29, 6, 3, 4, 2**26


@dataclasses.dataclass(frozen=True)
class ClassBlocks:
    """Classes split over replicas, and each replica's share split into blocks.

    Replica r of R replicas takes the classes r, r + R, r + 2R, ... A step loops over
    blocks in the graph, so one block bounds its memory. Every class is matched
    independently, so the split does not change the images.

    Attributes:
        classes: `[replicas, blocks, classes_per_block]` int32 class numbers; padding is
            a class of the replica, or any if it has none.
        valid: `[replicas, blocks, classes_per_block]` float32: 1, or 0 for padding.
        real_chunk: Largest number of real images of a forward pass: all images of a
            block, or a part of one class if the class exceeds the limit.
    """

    classes: np.ndarray
    valid: np.ndarray
    real_chunk: int


def plan_class_blocks(
    num_classes: int,
    num_replicas: int,
    real_per_class: int,
    synthetic_per_class: int,
    max_images: int,
    max_classes: int | None = None,
) -> ClassBlocks:
    """Plans the blocks of a step.

    Args:
        num_classes: Number of classes C.
        num_replicas: Number of replicas R.
        real_per_class: Number of real images of each class in a step.
        synthetic_per_class: Number of synthetic images of each class in a step.
        max_images: Largest number of images of one forward pass, >= 1. The synthetic
            images of a class are never split.
        max_classes: Largest number of classes of a block, >= 1; None for no limit.

    Returns:
        The plan, whose blocks are as equal as possible, to have little padding.
    """
    share = -(-num_classes // num_replicas)
    largest = max(1, max_images // max(real_per_class, synthetic_per_class))
    if max_classes is not None:
        largest = min(largest, max_classes)
    num_blocks = -(-share // largest)
    per_block = -(-share // num_blocks)
    index = np.arange(num_blocks * per_block).reshape(num_blocks, per_block)
    classes = index[None] * num_replicas + np.arange(num_replicas)[:, None, None]
    valid = (index[None] < share) & (classes < num_classes)
    return ClassBlocks(
        # A replica may hold the images of its own classes only.
        classes=np.where(valid, classes, classes[:, :1, :1] % num_classes).astype(
            np.int32
        ),
        valid=valid.astype(np.float32),
        real_chunk=min(max_images, per_block * real_per_class),
    )


def default_max_images(
    image_shape: tuple[int, int, int],
    width: int,
    memory: int | None = None,
    num_synthetic: int = 0,
) -> int:
    """Returns the default of the largest number of images of one forward pass.

    Args:
        image_shape: `(height, width, channels)` of the images.
        width: Channels of the network's first layer.
        memory: Bytes that the process can have; None if that is unknown, or does not
            matter because another device has the images.
        num_synthetic: Number of synthetic images of all classes.
    """
    rows, columns, channels = image_shape
    most = FIRST_MAP_BYTES // (4 * rows * columns * width)
    if memory is not None and memory < _SMALLER:
        copies = _COPIES * num_synthetic * math.prod(image_shape) * 4
        values = _OUTPUTS * width + _PATCHES * (9 * channels + 1)
        room = max(_LEAST_BYTES, memory - _TAKEN_BYTES - copies)
        most = min(most, room // (4 * rows * columns * values))
    return max(1, most)
