"""Images of a split that stay on disk: rows of a file, read when they are used."""

import hashlib
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from hdd_tf.data.image_file import ImageFile, stretches
from hdd_tf.data.memory import empty_images

# Of images that are read at a time where all are.
_CHUNK = 2**24
# (name, function that computes a value of JSON) -> the value, new or from before
Kept = Callable[[str, Callable[[], Any]], Any]


def forgotten(name: str, compute: Callable[[], Any]) -> Any:
    """Computes a value and keeps none."""
    del name
    return compute()


class StoredImages:
    """Images `[n, h, w, c]` uint8 in a file, of which rows are taken like an array's.

    `images[row]`, `images[first:stop]` and `images[rows]` read a copy. Nothing reads
    all of them at once: `np.asarray` is refused.

    Args:
        path: The file, of nothing but images.
        shape: Number of images of the file, height, width and channels.
        positions: `[n]` int64, where in the file each image is, counted in images.
        kept: What remembers values between runs.

    Raises:
        OSError: the file cannot be opened, or is a link.
        ValueError: it has another size, or is no ordinary file.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(
        self,
        path: pathlib.Path,
        shape: tuple[int, int, int, int],
        positions: np.ndarray,
        kept: Kept = forgotten,
    ) -> None:
        self._file = ImageFile(path, int(np.prod(shape, dtype=np.int64)))
        self._positions = positions
        self._kept = kept
        self.shape = (len(positions), *shape[1:])

    def __len__(self) -> int:
        return len(self._positions)

    @property
    def size(self) -> int:
        """Number of values of all images."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """Bytes of the images in memory: none of them is."""
        return 0

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Returns an image `[h, w, c]`, or images `[k, h, w, c]`, as a copy."""
        if isinstance(rows, slice):
            return self.take(np.arange(*rows.indices(len(self))))
        rows = np.asarray(rows)
        if rows.dtype == np.bool_:
            rows = np.flatnonzero(rows)
        return self.take(rows)

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError("images on disk may not fit into memory: take rows of them.")

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Returns the images at some rows.

        Args:
            rows: `[...]` integers; neighbours in the file are one read.

        Returns:
            `[..., h, w, c]` uint8.

        Raises:
            InputError: the file cannot be read, or is shorter than it was.
        """
        rows = np.asarray(rows)
        positions = self._positions[rows.ravel()]
        found = empty_images((len(positions), *self.shape[1:]))
        for first, stop in stretches(positions):
            self._file.read_into(found[first:stop], int(positions[first]))
        return found.reshape(*rows.shape, *self.shape[1:])

    def select(self, rows: np.ndarray) -> "StoredImages":
        """Returns the images at some rows, in that order, and reads none of them."""
        chosen = object.__new__(StoredImages)
        chosen.__dict__.update(self.__dict__)
        chosen._positions = self._positions[rows]
        chosen.shape = (len(chosen._positions), *self.shape[1:])
        return chosen

    def settled(self) -> "ImageRows":
        """Returns the images as graphs take them: an array, or rows of a file."""
        return self

    def chunks(self) -> Iterator[np.ndarray]:
        """Yields all images in their order, a few megabytes at a time."""
        rows = max(1, _CHUNK // max(1, self.size // max(1, len(self))))
        for start in range(0, len(self), rows):
            yield self[start : start + rows]

    def ask_ahead(self, rows: np.ndarray, stream: str = "") -> None:
        """Has the system read rows that will be taken soon; does not wait for it.

        The rows come into the system's cache of pages and take no memory of this
        process. The system drops them where memory is wanted, and then they are read
        when they are taken.

        Args:
            rows: `[...]` integers.
            stream: Name of the draws that the rows are one of.
        """
        positions = self._positions[np.asarray(rows).ravel()]
        self._file.ask_ahead(positions, self.size // max(1, len(self)), stream)

    def remembered(
        self, name: str, compute: Callable[[], Any], labels: np.ndarray | None = None
    ) -> Any:
        """Returns a value of JSON that depends on these images alone.

        Args:
            name: What it is.
            compute: Computes it, by reading all images; not called where an earlier
                run of the same images has kept it.
            labels: `[n]` integers on which it depends too.
        """
        return self._kept(self.key(name, labels), compute)

    def key(self, name: str, labels: np.ndarray | None = None) -> str:
        """Returns the name by which `remembered` keeps a value of these rows."""
        digest = hashlib.sha256(self._positions.astype("<i8").tobytes())
        if labels is not None:
            digest.update(labels.astype("<i8").tobytes())
        return f"{name} {digest.hexdigest()}"


# What a split has: images in memory, or on disk.
ImageRows = np.ndarray | StoredImages


def chunks_of(images: ImageRows) -> Iterator[np.ndarray]:
    """Yields images in their order, a few megabytes at a time.

    Args:
        images: `[n, h, w, c]`.
    """
    if isinstance(images, StoredImages):
        yield from images.chunks()
        return
    rows = max(1, _CHUNK // max(1, images[:1].nbytes))
    for start in range(0, len(images), rows):
        yield images[start : start + rows]
