"""How much memory there is, whether a data set fits into it, and arrays of images."""

import contextlib
import ctypes
import math
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from hdd_tf.errors import InputError

# Where TensorFlow's own tensors begin: its kernels may read whole vectors from there.
_ALIGNMENT = 64
# Graphs and forward passes of a run, whose program is there when data are read.
_FOR_A_RUN = 2**29


def empty_images(shape: tuple[int, ...]) -> np.ndarray:
    """Returns an array `shape` uint8 of any values, which a tensor can share.

    NumPy itself places arrays at multiples of 16 bytes, and TensorFlow copies what does
    not lie at one of 64.
    """
    size = math.prod(shape)
    room = np.empty(size + _ALIGNMENT, np.uint8)
    start = -room.ctypes.data % _ALIGNMENT
    return room[start : start + size].reshape(shape)


def take_images(images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Returns a copy of some images, which a tensor can share.

    Args:
        images: `[n, ...]` uint8.
        rows: `[k]` integers in [-n, n).
    """
    taken = empty_images((len(rows), *images.shape[1:]))
    # With the default mode, which checks the rows, NumPy would make another copy.
    np.take(images, rows, axis=0, out=taken, mode="wrap")
    return taken


def as_shareable(images: np.ndarray) -> np.ndarray:
    """Returns images in memory that a tensor can share: as they are, or a copy.

    Args:
        images: `[...]` uint8.
    """
    flags = images.flags
    if flags.c_contiguous and flags.writeable and not images.ctypes.data % _ALIGNMENT:
        return images
    copied = empty_images(images.shape)
    copied[...] = images
    return copied


def fits_into_memory(
    num_training: int, num_held_out: int, image_shape: tuple[int, ...]
) -> bool:
    """Returns whether the images of a data set fit and leave memory for a run.

    Beside small images, which `check_memory` alone would admit, as much again is left.
    """
    available = available_memory()
    needed = _bytes_needed(num_training, num_held_out, image_shape)
    return available is None or needed + min(needed, _FOR_A_RUN) <= available


def check_memory(
    name: str,
    num_training: int,
    num_held_out: int,
    image_shape: tuple[int, ...],
    remedy: str = "",
) -> None:
    """Checks that the images of a data set fit into memory.

    Args:
        name: Name of the data set.
        num_training: Number of images of the training split that are loaded.
        num_held_out: Number of images of all other splits that are loaded.
        image_shape: Height, width and channels of the loaded images, one byte a value.
        remedy: What else helps, for the message.

    Raises:
        InputError: the images need more bytes than are available.
    """
    height, width, channels = image_shape
    needed = _bytes_needed(num_training, num_held_out, image_shape)
    available = available_memory()
    if available is not None and needed > available:
        raise InputError(
            f"{name} does not fit into memory: its {num_training:,} training and "
            f"{num_held_out:,} other images of {height}x{width}x{channels} need "
            f"{needed:,} bytes ({needed / 2**30:.2f} GiB), and {available:,} "
            f"({available / 2**30:.2f} GiB) are available: give a smaller --image_size "
            f"or fewer --classes{remedy}."
        )


def _bytes_needed(
    num_training: int, num_held_out: int, image_shape: tuple[int, ...]
) -> int:
    # TensorFlow shares the memory of the arrays, see `image_rows.hold`.
    return (num_training + num_held_out) * math.prod(image_shape)


def check_room(subject: str, needed: int, remedy: str) -> None:
    """Checks that there is memory for what a setting asks for.

    Args:
        subject: What needs it, such as `--width=512: the network`.
        needed: Bytes that it needs at least.
        remedy: What to do if there are fewer.

    Raises:
        InputError: fewer bytes are available.
    """
    available = available_memory()
    if available is not None and needed > available:
        raise InputError(
            f"{subject} needs {needed / 2**30:,.2f} GiB of memory, and "
            f"{available / 2**30:,.2f} GiB are available: {remedy}"
        )


def available_memory() -> int | None:
    """Returns the bytes that can be allocated without swapping; None if unknown.

    A container may have less than its machine.
    """
    try:
        text = pathlib.Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:  # Only Linux has this file.
        return None
    found = re.search(r"^MemAvailable:\s*(\d+) kB", text, re.MULTILINE)
    bounds = [int(found[1]) * 1024] if found else []
    return min([*bounds, *bounds_of_groups()], default=None)


def memory_at_most() -> int | None:
    """Returns the bytes that a process here can have at most; None if unknown.

    Unlike `available_memory` it does not depend on what runs at the moment.
    """
    try:
        text = pathlib.Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:  # Only Linux has this file.
        return None
    found = re.search(r"^MemTotal:\s*(\d+) kB", text, re.MULTILINE)
    bounds = [int(found[1]) * 1024] if found else []
    for place, names in _groups():
        with contextlib.suppress(OSError, ValueError):
            bounds.append(_number(place / names.most))
    return min(bounds, default=None)


class _Names(NamedTuple):
    """Names of a version of control groups.

    Attributes:
        most: File of the bound.
        used: File of what is taken, with pages of files.
        cached: Line of `memory.stat` of those that go where memory is wanted.
    """

    most: str
    used: str
    cached: str


_VERSION_1 = _Names(
    "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
)
_VERSION_2 = _Names("memory.max", "memory.current", "inactive_file")
# Where the kernel shows its control groups, and the file that names those of a process.
_ROOT = pathlib.Path("/sys/fs/cgroup")
_OWN = pathlib.Path("/proc/self/cgroup")


def bounds_of_groups(
    root: pathlib.Path = _ROOT, own: pathlib.Path = _OWN
) -> Iterator[int]:
    """Yields what each group of processes that this one is in leaves of its bound.

    Args:
        root: Where the kernel shows its control groups, of version 1 or 2.
        own: The file that names those of this process.
    """
    for place, names in _groups(root, own):
        with contextlib.suppress(OSError, ValueError, LookupError):
            yield _left_in(place, names)


def _groups(
    root: pathlib.Path = _ROOT, own: pathlib.Path = _OWN
) -> Iterator[tuple[pathlib.Path, _Names]]:
    """Yields the directory of each group that bounds this process' memory."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            top, names = root, _VERSION_2
        elif "memory" in controllers.split(","):
            top, names = root / "memory", _VERSION_1
        else:
            continue
        # In a container the path may be the machine's, of which there is only the end.
        place = top / path.lstrip("/")
        while place != top.parent:
            yield place, names
            place = place.parent


def _left_in(place: pathlib.Path, names: _Names) -> int:
    """Returns the bytes that a group may still take; raises where there is no bound."""
    stat = (place / "memory.stat").read_text(encoding="ascii")
    lines = dict(line.split() for line in stat.splitlines())
    taken = _number(place / names.used) - int(lines[names.cached])
    return max(0, _number(place / names.most) - taken)


def _number(file: pathlib.Path) -> int:
    return int(file.read_text(encoding="ascii"))


def give_back() -> None:
    """Gives memory that was freed back to the system, where the C library keeps it.

    An iteration frees what its passes needed, which is more than what is needed later.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):  # Of glibc alone.
        library.malloc_trim(0)


def peak_memory() -> int:
    """Returns the bytes of memory that this process has had at most.

    The system's count for `getrusage` goes on through the start of a program on Linux:
    there it would be the peak of the process that started this one, if that is larger.
    """
    try:
        text = pathlib.Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:  # Only Linux has this file.
        text = ""
    if found := re.search(r"^VmHWM:\s*(\d+) kB", text, re.MULTILINE):
        return int(found[1]) * 1024
    import resource  # Not on every system.

    # The unit is a byte on macOS, a kilobyte elsewhere.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
