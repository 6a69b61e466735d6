"""Writes the files of a decoded split that is never in memory as a whole.

Images are decoded in the order of the split, and each is written where its class has a
place for it. Beside the unfinished files `progress.json` says how many are written:
whoever starts again goes on there.
"""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from hdd_tf.data.dataset import LabelledImages
from hdd_tf.data.image_file import stretches
from hdd_tf.data.stored_images import StoredImages
from hdd_tf.data_cache.checked import Checked
from hdd_tf.data_cache.entry import (
    IMAGES,
    LABELS,
    Facts,
    UnusableError,
    digest_of,
    positions_of,
    size_of_file,
)
from hdd_tf.data_cache.writing import write_facts
from hdd_tf.errors import InputError
from hdd_tf.files import atomic
from hdd_tf.files.json_files import read_json
from hdd_tf.files.unfinished import remove_leftovers
from hdd_tf.progress import progress_bar

_PROGRESS = "progress.json"
# What a kill costs at most.
_SECONDS_BETWEEN_NOTES = 10.0


@dataclasses.dataclass(frozen=True)
class Decoding:
    """How a source gives the images of a split, a part at a time.

    Attributes:
        labels: Returns all labels, `[n]` int64, without decoding images.
        images_from: Yields the images from a row on, in the order of the split, with
            their labels; each part fits into memory.
    """

    labels: Callable[[], np.ndarray]
    images_from: Callable[[int], Iterator[LabelledImages]]


def write_in_parts(
    directory: pathlib.Path, facts: Facts, decoding: Decoding, shown: bool
) -> None:
    """Writes a split, in place of what the directory holds, or goes on writing it.

    Args:
        directory: Where to; whoever looks sees all of it or nothing.
        facts: What decides the images.
        decoding: Gives the images.
        shown: Whether to show a progress bar.

    Raises:
        InputError: the source is damaged, or has changed meanwhile.
        OSError: the directory cannot be written; what is written is kept.
    """
    unfinished = _Unfinished(unfinished_of(directory), facts, decoding)
    title = f"decode {facts.split}"
    with (
        unfinished,
        progress_bar(title, facts.shape[0], "image", shown, unfinished.done) as bar,
    ):
        digest = hashlib.sha256()
        for images in unfinished.written():
            digest.update(images.data)
        for part in decoding.images_from(unfinished.done):
            unfinished.add(part)
            digest.update(np.ascontiguousarray(part.images).data)
            bar.update(len(part.labels))
            del part  # Before the next one is decoded.
        unfinished.check_all_there()
    digest.update(unfinished.labels.data)
    unfinished.finish(directory, digest.hexdigest())


def unfinished_of(directory: pathlib.Path) -> pathlib.Path:
    """Returns where the files of an entry lie until it is finished."""
    return directory.with_name(f".{directory.name}.unfinished")


class _Unfinished:
    """The files of a split as far as they are written; a context, open for writing.

    Attributes:
        labels: `[n]` int64 labels of the whole split.
        done: Number of images written.
    """

    def __init__(
        self, directory: pathlib.Path, facts: Facts, decoding: Decoding
    ) -> None:
        self._directory = directory
        self._facts = facts
        self._digest = digest_of({"recipe": facts.recipe, "source": dict(facts.source)})
        self.done = 0
        if not self._goes_on():
            self._begin(decoding.labels())
        self._positions = positions_of(self.labels)
        self._descriptor = -1
        self._noted_at = time.monotonic()

    def __enter__(self) -> "_Unfinished":
        # Through a link in a stranger's directory another file would be written.
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self._directory / IMAGES, flags)
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            with contextlib.suppress(OSError):
                self._note()
        finally:
            os.close(self._descriptor)

    def written(self) -> Iterator[np.ndarray]:
        """Yields the images that are written already, in the order of the split."""
        images = StoredImages(
            self._directory / IMAGES, self._facts.shape, self._positions
        )
        yield from images.select(np.arange(self.done)).chunks()

    def add(self, part: LabelledImages) -> None:
        """Writes the next images.

        Raises:
            InputError: they are not those that the labels and the facts promise.
        """
        stop = self.done + len(part.labels)
        if (
            part.images.shape[1:] != self._facts.shape[1:]
            or len(part.images) != len(part.labels)
            or not np.array_equal(part.labels, self.labels[self.done : stop])
        ):
            raise self._changed()
        images = np.ascontiguousarray(part.images)
        positions = self._positions[self.done : stop]
        size = images.size // max(1, len(images))
        for first, end in stretches(positions):
            view = images[first:end].reshape(-1).data
            offset = int(positions[first]) * size
            while len(view):
                count = os.pwrite(self._descriptor, view, offset)
                view, offset = view[count:], offset + count
        self.done = stop
        if time.monotonic() - self._noted_at > _SECONDS_BETWEEN_NOTES:
            self._note()

    def check_all_there(self) -> None:
        """Raises InputError if the source had fewer images than its labels."""
        if self.done != len(self.labels):
            raise self._changed()

    def finish(self, directory: pathlib.Path, checksum: str) -> None:
        """Gives the files their final name.

        Args:
            directory: The name.
            checksum: Of images and labels in the order of the split.
        """
        write_facts(self._directory, self._facts, self.labels, checksum)
        (self._directory / _PROGRESS).unlink()
        atomic.give_name(self._directory, directory)
        Checked(directory, IMAGES).note()

    def _goes_on(self) -> bool:
        """Looks whether there is something to go on with, and removes anything else."""
        if not os.path.lexists(self._directory):
            return False
        damage = OSError, ValueError, TypeError, KeyError, UnusableError
        with contextlib.suppress(*damage):
            # It may come from anyone, like a finished entry.
            noted, count = read_json(self._directory / _PROGRESS), self._facts.shape[0]
            sizes = [size_of_file(self._directory / n) for n in (IMAGES, LABELS)]
            if (
                not self._directory.is_symlink()
                and noted["of"] == self._digest
                and type(noted["done"]) is int
                and 0 <= noted["done"] <= count
                and sizes == [self._facts.num_bytes, 8 * count]
            ):
                labels = np.fromfile(self._directory / LABELS, "<i8").astype(np.int64)
                if (labels >= 0).all():
                    self.labels, self.done = labels, noted["done"]
                    remove_leftovers(self._directory)  # Of the note, by a kill.
                    return True
        if self._directory.is_dir() and not self._directory.is_symlink():
            shutil.rmtree(self._directory)
        else:
            self._directory.unlink()
        return False

    def _begin(self, labels: np.ndarray) -> None:
        """Takes the place that the files will need, and notes that nothing is done."""
        self.labels = np.ascontiguousarray(labels, np.int64)
        if len(labels) != self._facts.shape[0] or (self.labels < 0).any():
            raise self._changed()
        self._directory.mkdir(parents=True)
        try:
            with (self._directory / IMAGES).open("xb") as file:
                # A disk that is too small is known now, and not hours later.
                if hasattr(os, "posix_fallocate"):  # Not on every system.
                    os.posix_fallocate(file.fileno(), 0, self._facts.num_bytes)
                else:
                    file.truncate(self._facts.num_bytes)
            (self._directory / LABELS).write_bytes(self.labels.astype("<i8").tobytes())
            self._write_note()
        except BaseException:
            shutil.rmtree(self._directory, ignore_errors=True)
            raise

    def _note(self) -> None:
        # What is noted must be on the disk, also where the machine goes down.
        os.fsync(self._descriptor)
        self._write_note()
        self._noted_at = time.monotonic()

    def _write_note(self) -> None:
        note = {"of": self._digest, "done": self.done}
        atomic.write_json(self._directory / _PROGRESS, note)

    def _changed(self) -> InputError:
        return InputError(
            f"the split {self._facts.split} of {self._facts.data} is not what it was "
            "when its labels were read: let nothing write to the data set, and start "
            f"again; if that does not help, remove {self._directory}"
        )
