"""Refusing, before anything is loaded, what memory cannot hold."""

import pathlib
import re

from hdd_tf.errors import InputError


def check_memory(
    name: str, num_training: int, num_held_out: int, image_shape: tuple[int, ...]
) -> None:
    """Refuses images that do not fit into memory.

    Args:
        name: Name of the data set.
        num_training: Images of the training split that will be kept.
        num_held_out: Likewise of all other splits.
        image_shape: Height, width and channels as they will be kept, a byte each.

    Raises:
        InputError: more bytes are needed than are available.
    """
    height, width, channels = image_shape
    # The training images are held twice: here and as TensorFlow's tensor.
    needed = (2 * num_training + num_held_out) * height * width * channels
    available = available_memory()
    if available is not None and needed > available:
        raise InputError(
            f"{name} does not fit into memory: its {num_training:,} training and "
            f"{num_held_out:,} other images of {height}x{width}x{channels} need "
            f"{needed:,} bytes ({needed / 2**30:.2f} GiB), and {available:,} "
            f"({available / 2**30:.2f} GiB) are available: give a smaller --image_size "
            "or fewer --classes."
        )


def available_memory() -> int | None:
    """Returns the bytes that can be allocated without swapping; None if unknown."""
    try:
        text = pathlib.Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:  # Linux only.
        return None
    found = re.search(r"^MemAvailable:\s*(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None
