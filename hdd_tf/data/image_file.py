"""A file of images that stays open, of which stretches are read or asked for ahead."""

import collections
import contextlib
import errno
import itertools
import os
import pathlib
import stat
import threading
import weakref
from collections.abc import Iterator

import numpy as np

from hdd_tf.errors import InputError

# The last failed read; TensorFlow loses what was raised within its graphs.
FAILURES: collections.deque[InputError] = collections.deque(maxlen=1)


class ImageFile:
    """A file of images of one shape and nothing else, which several threads may read.

    The file is read and not mapped: where a mapped file becomes shorter the system
    kills the process, and a read of it can be told in a line. It stays open, so that
    whoever deletes or replaces it meanwhile changes nothing.

    Args:
        path: The file.
        size: Bytes that it has.

    Raises:
        OSError: the file cannot be opened, or is a link.
        ValueError: it has another size, or is no ordinary file.
    """

    def __init__(self, path: pathlib.Path, size: int) -> None:
        self._path = path
        # Not of a link, which may lead anywhere; nor waiting for a pipe.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self._descriptor = os.open(path, flags)
        weakref.finalize(self, os.close, self._descriptor)
        found = os.fstat(self._descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size != size:
            raise ValueError(f"{path.name} has {found.st_size:,} bytes")
        self._lock = threading.Lock()
        # Of each stream, the last requests, and the one that waits.
        self._asked: dict[str, collections.deque[int]] = {}
        self._wanted: dict[str, tuple[np.ndarray, int]] = {}
        self._asking: threading.Thread | None = None

    def read_into(self, images: np.ndarray, position: int) -> None:
        """Fills `[k, h, w, c]` uint8 with the images from `position` on.

        Raises:
            InputError: the file cannot be read, or is shorter than it was.
        """
        view = images.reshape(-1).data
        offset = position * (len(view) // len(images))
        while len(view):
            try:
                count = os.preadv(self._descriptor, [view], offset)
                if not count:
                    raise OSError(errno.EIO, "it is shorter than it was")
            except OSError as error:
                failure = InputError(
                    f"{self._path} cannot be read ({error.strerror}): mend that, or "
                    "remove its folder, and the images are decoded anew; the same "
                    "command goes on from the last checkpoint."
                )
                FAILURES.append(failure)
                raise failure from error
            view, offset = view[count:], offset + count

    def ask_ahead(self, positions: np.ndarray, image_bytes: int, stream: str) -> None:
        """Asks for images, in a thread that ends when all are asked for.

        To ask is to wait for a place in the queue of the disk. While one request is
        under way the newest other one of each stream waits, and takes the place of any
        before: what was not asked for is read when it is needed.

        Args:
            positions: `[n]` int64, in any order, each once or more often.
            image_bytes: Bytes of an image.
            stream: Name of the draws that they are one of.
        """
        if not hasattr(os, "posix_fadvise"):  # Not on every system.
            return
        request = hash(positions.tobytes())
        with self._lock:
            # Several devices ask for the same, and each iteration for what the one
            # before it has asked for already.
            asked = self._asked.setdefault(stream, collections.deque(maxlen=2))
            if request in asked:
                return
            asked.append(request)
            self._wanted[stream] = positions, image_bytes
            if self._asking is None:
                # A daemon, so that a process that ends does not wait for the disk.
                self._asking = threading.Thread(target=self._ask, daemon=True)
                self._asking.start()

    def _ask(self) -> None:
        while True:
            with self._lock:
                if not self._wanted:
                    self._asking = None
                    return
                # Draws are used in the order in which they were asked for.
                wanted, size = self._wanted.pop(next(iter(self._wanted)))
            positions = np.unique(wanted)
            for first, stop in stretches(positions):
                with contextlib.suppress(OSError):  # Who reads the file is told.
                    os.posix_fadvise(
                        self._descriptor,
                        int(positions[first]) * size,
                        (stop - first) * size,
                        os.POSIX_FADV_WILLNEED,
                    )


def stretches(positions: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yields first and stop of each run of positions that follow each other."""
    if len(positions):
        ends = np.flatnonzero(np.diff(positions) != 1) + 1
        bounds = [0, *ends.tolist(), len(positions)]
        yield from itertools.pairwise(bounds)
