"""The passes over memory that the norms and pools of a step cannot do without."""

import itertools
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from timing import Run

from hdd_tf.distributed.class_blocks import default_max_images


def step_passes(
    num_real: int,
    num_synthetic: int,
    image_shape: tuple[int, int, int],
    width: int,
    depth: int = 3,
    precision: str = "float32",
) -> Run:
    """Returns copies in memory of as many bytes as the blocks of a step must move.

    Between two convolutions a map of B bytes that no cache holds is at least read for
    its moments, read to be scaled, and written at a quarter of its size: 2.25 B. On the
    way back a quarter is read, the map is read for two sums and again for the gradient,
    which is written: 3.25 B. A copy of n bytes moves 2 n.

    Args:
        num_real: Number of real images of all classes: forward.
        num_synthetic: Number of synthetic images of all classes: there and back.
        image_shape: `(side, side, channels)` of the images.
        width: Channels of each block.
        depth: Number of blocks.
        precision: `float32` or `bfloat16`, of the real images' maps.
    """
    values = sum((image_shape[0] >> block) ** 2 * width for block in range(depth))
    real_bytes = 2 if precision == "bfloat16" else 4
    per_image = min(num_real, default_max_images(image_shape, width)) * real_bytes
    moved = 2.25 * num_real * values * real_bytes + 5.5 * num_synthetic * values * 4
    source = np.zeros(values * per_image // 4, np.float32)
    copy = np.zeros_like(source)
    times, rest = divmod(int(moved / 8), source.size)
    threads = len(os.sched_getaffinity(0))
    pool = ThreadPoolExecutor(threads)

    def copy_part(bounds: tuple[int, int]) -> None:
        # NumPy lets other threads run while it copies.
        part = slice(*bounds)
        np.copyto(copy[part], source[part])

    def copy_values(count: int) -> None:
        ends = [count * thread // threads for thread in range(threads + 1)]
        for _ in pool.map(copy_part, itertools.pairwise(ends)):
            pass

    def run() -> None:
        for _ in range(times):
            copy_values(source.size)
        copy_values(rest)

    return run
