"""Which classes a replica takes, and in which blocks it takes them."""

import dataclasses

import numpy as np

# Memory one forward pass may take for the first layer's output, the largest tensor of
# a step: 2,560 images of 32x32 at width 128. A step then takes about 4 GiB in all.
FIRST_MAP_BYTES = 1280 * 2**20


@dataclasses.dataclass(frozen=True)
class ClassBlocks:
    """Classes split over replicas, and each replica's share split into blocks.

    Replica r takes the classes r, r + R, r + 2R, ... of R replicas. A step loops over
    blocks in the graph, so its memory is bounded by one block; every class is matched
    by itself, so no split changes the images.

    Attributes:
        classes: `[replicas, blocks, classes_per_block]` int32 class indices; padding
            repeats a valid index.
        valid: Same shape, float32: 1, or 0 for padding.
        real_chunk: Real images per forward pass: all of a block's, or a part of one
            class where one class alone is too many.
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
) -> ClassBlocks:
    """Plans the blocks of a step.

    Args:
        num_classes: C.
        num_replicas: R.
        real_per_class: Real images of each class in a step.
        synthetic_per_class: Synthetic images of each class in a step.
        max_images: Most images of one forward pass, >= 1. The synthetic images of one
            class always go together.

    Returns:
        The plan; blocks are as equal as they can be, to waste little on padding.
    """
    share = -(-num_classes // num_replicas)
    largest = max(1, max_images // max(real_per_class, synthetic_per_class))
    num_blocks = -(-share // largest)
    per_block = -(-share // num_blocks)
    index = np.arange(num_blocks * per_block).reshape(num_blocks, per_block)
    classes = index[None] * num_replicas + np.arange(num_replicas)[:, None, None]
    valid = (index[None] < share) & (classes < num_classes)
    return ClassBlocks(
        classes=np.where(valid, classes, 0).astype(np.int32),
        valid=valid.astype(np.float32),
        real_chunk=min(max_images, per_block * real_per_class),
    )


def default_max_images(image_shape: tuple[int, int, int], width: int) -> int:
    """Returns how many images one forward pass takes when the user does not say.

    Args:
        image_shape: `(height, width, channels)` of the images.
        width: Channels of the network's first layer.
    """
    bytes_per_image = image_shape[0] * image_shape[1] * width * 4
    return max(1, FIRST_MAP_BYTES // bytes_per_image)
