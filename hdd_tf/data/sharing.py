"""What several processes of a run read of a data set: each the images of its classes.

The chief reads all images, since it records their checksum and scores with them. The
others read those of the classes that they match, and take from the chief what is
computed from all.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from hdd_tf.data.dataset import LabelledImages
from hdd_tf.data.memory import take_images
from hdd_tf.data.stored_images import ImageRows, StoredImages, chunks_of


class Sharing:
    """The sharing of a single process: it reads everything, and tells nobody.

    Attributes:
        reads_all: True if this process reads the images of all classes and splits.
    """

    reads_all = True

    def own_classes(self, num_classes: int) -> np.ndarray:
        """Returns the classes whose training images this process reads.

        Args:
            num_classes: Number of classes C.

        Returns:
            `[k]` int64 class numbers, ascending.
        """
        return np.arange(num_classes)

    def of_chief(self, what: str, compute: Callable[[], Any]) -> Any:
        """Returns the chief's value in every process; all processes must call it.

        Args:
            what: The name of the value, the same in all processes.
            compute: Returns the value, which JSON can represent; called by the chief.
        """
        del what
        return compute()


ALONE = Sharing()


class PartOfImages(StoredImages):
    """Images `[n, h, w, c]` uint8, of which this process holds some rows.

    Any rows can be taken. Those that are not held are read from where the images come
    from, each time that they are taken.

    Args:
        shape: Number of all images, height, width and channels.
        own: `[m]` int64 rows to hold, ascending.
        hold: Function from these rows to their images, in memory or on disk; called
            once, when they are needed.
        read: Function from other ascending rows `[k]` to their images.
    """

    def __init__(
        self,
        shape: tuple[int, int, int, int],
        own: np.ndarray,
        hold: Callable[[np.ndarray], ImageRows],
        read: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        self.shape = shape
        self._positions = np.arange(shape[0])
        self._source = _Source(own, hold, read)
        self._known: dict[str, Any] = {}

    def hold_own(self) -> None:
        """Reads the rows that this process holds, unless it has."""
        if self._source.has_own:
            self._source.held()

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Returns the images at some rows; see `StoredImages`."""
        rows = np.asarray(rows)
        found = self._source.take(self._positions[rows.ravel()], self.shape[1:])
        return found.reshape(*rows.shape, *self.shape[1:])

    def select(self, rows: np.ndarray) -> "StoredImages":
        """Returns the images at some rows, in that order; see `StoredImages`."""
        chosen = object.__new__(PartOfImages)
        chosen._positions = self._positions[rows]
        chosen.shape = (len(chosen._positions), *self.shape[1:])
        chosen._source, chosen._known = self._source, {}
        return chosen

    def settled(self) -> ImageRows:
        """Returns the images as they are held; itself where some are not."""
        return self._source.settled(self._positions, self)

    def ask_ahead(self, rows: np.ndarray, stream: str = "") -> None:
        """Has the system read rows soon; see `StoredImages`."""
        settled = self.settled()
        if isinstance(settled, StoredImages) and settled is not self:
            settled.ask_ahead(rows, stream)

    def know(self, name: str, value: Any, labels: np.ndarray | None = None) -> None:
        """Takes a value that `remembered` returns, from a process that reads all."""
        self._known[self.key(name, labels)] = value

    def remembered(
        self, name: str, compute: Callable[[], Any], labels: np.ndarray | None = None
    ) -> Any:
        """Returns a value that depends on these images alone; see `StoredImages`."""
        key = self.key(name, labels)
        if key not in self._known:
            self._known[key] = compute()
        return self._known[key]


class _Source:
    """Where the rows of a split come from, and those that are held."""

    def __init__(
        self,
        own: np.ndarray,
        hold: Callable[[np.ndarray], ImageRows],
        read: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        self._own = own
        self._hold = hold
        self._read = read
        self._held: ImageRows | None = None

    @property
    def has_own(self) -> bool:
        """Whether there are rows to hold."""
        return len(self._own) > 0

    def held(self) -> ImageRows:
        """Returns the images of the rows that are held."""
        if self._held is None:
            self._held = self._hold(self._own)
        return self._held

    def settled(self, rows: np.ndarray, otherwise: ImageRows) -> ImageRows:
        """Returns rows if all are held, else another value."""
        places, is_own = self._places(rows)
        if not is_own.all():
            return otherwise
        held = self.held()
        if len(places) == len(held) and (np.diff(places) == 1).all():
            return held
        if isinstance(held, StoredImages):
            return held.select(places)
        return take_images(held, places)

    def take(self, rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Returns the images of rows `[k]`, in any order, repeated or not."""
        found = np.empty((len(rows), *shape), np.uint8)
        places, is_own = self._places(rows)
        if is_own.any():
            found[is_own] = self.held()[places[is_own]]
        if not is_own.all():
            others, which = np.unique(rows[~is_own], return_inverse=True)
            found[~is_own] = self._read(others)[which]
        return found

    def _places(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns where rows are among those that are held, and whether they are."""
        if not self.has_own:
            return np.zeros(len(rows), np.int64), np.zeros(len(rows), bool)
        places = np.searchsorted(self._own, rows).clip(max=len(self._own) - 1)
        return places, self._own[places] == rows


def part_of_split(
    labels: np.ndarray,
    image_shape: tuple[int, int, int],
    own: np.ndarray,
    hold: Callable[[np.ndarray], ImageRows],
    read: Callable[[np.ndarray], np.ndarray],
    on_disk: bool = False,
) -> LabelledImages:
    """Returns a split of which some images are held.

    Args:
        labels: `[n]` int64 labels of all images.
        image_shape: Height, width and channels.
        own: As in `PartOfImages`.
        hold: As in `PartOfImages`.
        read: As in `PartOfImages`.
        on_disk: Whether the images that are held lie on disk. The chief may be writing
            them there, so they are looked for when they are needed first. Otherwise
            they are read now.
    """
    part = PartOfImages((len(labels), *image_shape), own, hold, read)
    if on_disk:
        return LabelledImages(part, labels)
    part.hold_own()
    # Where all are held, they are what a single process has.
    return LabelledImages(part.settled(), labels)


def class_sums(part: LabelledImages, classes: np.ndarray) -> list[str]:
    """Returns the SHA-256 sums of the images of some classes, in hexadecimal.

    Args:
        part: The split.
        classes: `[k]` int64 class numbers.

    Returns:
        k sums, each of the images of a class in their order.
    """
    order = np.argsort(part.labels, kind="stable")
    ends = np.searchsorted(part.labels[order], [classes, classes + 1])
    return [
        _sum_of(part.select(order[first:stop]).images)
        for first, stop in ends.T.tolist()
    ]


def _sum_of(images: ImageRows) -> str:
    digest = hashlib.sha256()
    for chunk in chunks_of(images):
        digest.update(np.ascontiguousarray(chunk).data)
    return digest.hexdigest()
