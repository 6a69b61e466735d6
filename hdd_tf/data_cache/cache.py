"""A directory of decoded splits, which several processes may use at once."""

import contextlib
import errno
import os
import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from hdd_tf.data.dataset import LabelledImages
from hdd_tf.data_cache.entry import (
    Entry,
    Facts,
    UnusableError,
    open_entry,
)
from hdd_tf.data_cache.places import Places, size_of
from hdd_tf.data_cache.writing import write_entry
from hdd_tf.data_cache.writing_in_parts import Decoding, write_in_parts
from hdd_tf.errors import InputError, warn
from hdd_tf.files import lock
from hdd_tf.files.unfinished import remove_leftovers
from hdd_tf.settings.data import IN_MEMORY

# Of a data set that `AUTO` keeps; a smaller one is decoded in less than a second.
_WORTHWHILE = 2**24
_NOT_ALLOWED = (errno.EROFS, errno.EACCES, errno.EPERM)


class DataCache(Places):
    """A directory of decoded splits; without one every split is decoded anew.

    Whatever is wrong with the directory costs time and nothing else: a damaged or a
    foreign entry is made anew, and where none can be written the images are used
    without.

    Args:
        directory: The directory; None for none.
        was_asked_for: Whether the user named it. Otherwise small data sets are not
            kept, and nothing is said of a directory that cannot be written.
        keeps: Whether to write.
        tell: Called with a line for each split: where it is, or would be written.
        store: Where images are during a run, a value of `--real_store`.
        progress: Whether to show how far decoding is.

    Attributes:
        store: As given.
        keeps: As given.
    """

    def __init__(
        self,
        directory: str | os.PathLike | None,
        was_asked_for: bool = True,
        keeps: bool = True,
        tell: Callable[[str], object] = lambda text: None,
        store: str = IN_MEMORY,
        progress: bool = False,
    ) -> None:
        super().__init__(directory, tell)
        self.store = store
        self._progress = progress
        self._was_asked_for = was_asked_for
        self.keeps = keeps

    def whole(
        self,
        facts: Facts | None,
        decode: Callable[[], LabelledImages],
        bytes_of_set: int | None = None,
    ) -> LabelledImages:
        """Returns a split, from its entry or else decoded and kept.

        Args:
            facts: What decides its images; None keeps nothing.
            decode: Decodes it.
            bytes_of_set: Bytes of the images of all splits; None for those of this one.

        Raises:
            InputError: from `decode`; or the lock of the directory is a link.
        """
        if self.directory is None or facts is None or not facts.num_bytes:
            return decode()
        size = facts.num_bytes if bytes_of_set is None else bytes_of_set
        place = self.place_of(facts)
        found = self._read(place, facts)
        if found is not None:
            self.tell_of(facts, f"read from {place}")
            return found
        if not (self._was_asked_for or size >= _WORTHWHILE):
            return decode()
        if not self._can_write(place, facts):
            return decode()
        if not self.keeps:
            self.tell_of(facts, f"a run writes them to {place}")
            return decode()
        with lock.locked(place.parent, self.wait):
            # Another process may have made it meanwhile.
            found = self._read(place, facts, is_second=True)
            return found or self._keep(place, facts, decode())

    def stored(self, facts: Facts, decoding: Decoding) -> LabelledImages:
        """Returns a split whose images stay on disk, decoded and kept where needed.

        Args:
            facts: What decides its images.
            decoding: Decodes them, a part at a time.

        Raises:
            InputError: the images cannot be kept, or from `decoding`.
        """
        place = self.place_of(facts)
        if (found := self._read_stored(place, facts)) is not None:
            self.tell_of(facts, f"read from {place}")
            return found
        if not self.keeps:
            raise InputError(
                f"the decoded images of {facts.data}, {size_of(facts)}, are to stay on "
                f"disk and are not in {self.directory}, where this command writes "
                f"none: start the run itself first, or give --real_store={IN_MEMORY}"
            )
        try:
            self.check_place(place, facts)
            print(
                f"decoding {facts.shape[0]:,} images of {facts.split}, "
                f"{size_of(facts)}, into {place}",
                flush=True,
            )
            with lock.locked(place.parent, self.wait):
                found = self._read_stored(place, facts, is_second=True)
                if found is not None:
                    return found
                write_in_parts(place, facts, decoding, self._progress)
                return open_entry(place, facts).stored()
        except OSError as error:
            raise InputError(
                f"the decoded images of {facts.data}, {size_of(facts)}, cannot be kept "
                f"in {self.directory} ({error.strerror or error}): make room, or name "
                "another --data_cache=DIR; what is decoded already is used again"
            ) from error
        except UnusableError as error:
            raise InputError(
                f"the decoded images in {place} are {error} right after they were "
                "written: the disk cannot be trusted, name another --data_cache=DIR"
            ) from error

    def stored_rows(
        self, whole: Facts, rows: np.ndarray, part: Facts, decoding: Decoding
    ) -> LabelledImages:
        """Returns some rows of a split, whose images stay on disk.

        Args:
            whole: What decides the images of the split; its entry is used if there is
                one, such as of another process that shares the directory.
            rows: `[k]` rows of the split.
            part: What decides the images of these rows, which else have an entry.
            decoding: Decodes these rows, a part at a time.

        Raises:
            InputError: the images cannot be kept, or from `decoding`.
        """
        place = self.place_of(whole)
        found = self._read_stored(place, whole)
        return self.stored(part, decoding) if found is None else found.select(rows)

    def can_hold(self, splits: Sequence[Facts]) -> bool:
        """Returns whether splits are there already, or can be written.

        Args:
            splits: What decides the images of each.
        """
        missing = [
            facts
            for facts in splits
            if self.open(self.place_of(facts), facts, is_second=True) is None
        ]
        try:
            needed = sum(self.missing_bytes(facts) for facts in missing)
            for facts in missing:
                self.check_place(self.place_of(facts), facts, needed)
        except (OSError, InputError):
            return False
        return self.keeps or not missing

    def verified(self, facts: Facts | None) -> Entry | None:
        """Returns the entry of a split, of which some rows are wanted.

        Args:
            facts: What decides the images of the whole split.

        Returns:
            The entry, whose files agree with their checksums; None if there is none.
        """
        if self.directory is None or facts is None or not facts.num_bytes:
            return None
        place = self.place_of(facts)
        entry = self.open(place, facts)
        if entry is None:
            return None
        try:
            entry.check()
        except UnusableError as error:
            self.warn_unusable(place, error)
            return None
        self.tell_of(facts, f"read from {place}")
        return entry

    def _read(
        self, place: pathlib.Path, facts: Facts, is_second: bool = False
    ) -> LabelledImages | None:
        entry = self.open(place, facts, is_second)
        try:
            return None if entry is None else entry.whole()
        except UnusableError as error:
            if not is_second:
                self.warn_unusable(place, error)
            return None

    def _can_write(self, place: pathlib.Path, facts: Facts) -> bool:
        """Tells whether an entry can be written, and says why not."""
        try:
            self.check_place(place, facts)
        except InputError as error:
            warn(f"the decoded images are not kept: {error}")
            return False
        except OSError as error:
            self._warn_unwritten(facts, error)
            return False
        return True

    def _read_stored(
        self, place: pathlib.Path, facts: Facts, is_second: bool = False
    ) -> LabelledImages | None:
        entry = self.open(place, facts, is_second)
        try:
            return None if entry is None else entry.stored()
        except UnusableError as error:
            if not is_second:
                self.warn_unusable(place, error)
            return None

    def _keep(
        self, place: pathlib.Path, facts: Facts, part: LabelledImages
    ) -> LabelledImages:
        """Writes a split if that can be done, and returns it."""
        if part.images.shape != facts.shape:
            return part  # Such as one whose count is wrong, which is said elsewhere.
        try:
            with contextlib.suppress(OSError):  # Of a process that was killed.
                remove_leftovers(place.parent)
            write_entry(place, facts, part)
        except OSError as error:
            self._warn_unwritten(facts, error)
        return part

    def _warn_unwritten(self, facts: Facts, error: OSError) -> None:
        if error.errno in _NOT_ALLOWED and not self._was_asked_for:
            return
        warn(
            f"the decoded images of {facts.data}, {size_of(facts)}, are not kept in "
            f"{self.directory} ({error.strerror or error}), and are decoded at every "
            "start: make room, or choose by --data_cache=DIR or --data_cache=none."
        )


WITHOUT_CACHE = DataCache(None)
