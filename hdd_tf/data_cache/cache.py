"""A directory of decoded splits, which several processes may use at once."""

import contextlib
import errno
import os
import pathlib
import re
import shutil
from collections.abc import Callable

from hdd_tf.data.dataset import LabelledImages
from hdd_tf.data_cache.entry import (
    Entry,
    Facts,
    UnusableError,
    digest_of,
    open_entry,
    write_entry,
)
from hdd_tf.errors import warn
from hdd_tf.files import atomic, lock

# Of a data set that `AUTO` keeps; a smaller one is decoded in less than a second.
_WORTHWHILE = 2**24
# Left free for whatever else is written there.
_SPARE = 2**26
_NOT_ALLOWED = (errno.EROFS, errno.EACCES, errno.EPERM)


class DataCache:
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
    """

    def __init__(
        self,
        directory: str | os.PathLike | None,
        was_asked_for: bool = True,
        keeps: bool = True,
        tell: Callable[[str], object] = lambda text: None,
    ) -> None:
        self._directory = None
        if directory is not None:
            self._directory = pathlib.Path(directory).expanduser().absolute()
        self._was_asked_for = was_asked_for
        self._keeps = keeps
        self._tell = tell

    @property
    def is_there(self) -> bool:
        """Whether there is a directory to look into."""
        return self._directory is not None

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
        if self._directory is None or facts is None or not facts.num_bytes:
            return decode()
        size = facts.num_bytes if bytes_of_set is None else bytes_of_set
        place = self._place(facts)
        found = self._read(place, facts)
        if found is not None:
            self._tell_of(facts, f"read from {place}")
            return found
        if not (self._was_asked_for or size >= _WORTHWHILE):
            return decode()
        if not self._can_write(place, facts):
            return decode()
        if not self._keeps:
            self._tell_of(facts, f"a run writes them to {place}")
            return decode()
        with lock.locked(place.parent, self._wait):
            # Another process may have made it meanwhile.
            found = self._read(place, facts, is_second=True)
            return found or self._keep(place, facts, decode())

    def verified(self, facts: Facts | None) -> Entry | None:
        """Returns the entry of a split, of which some rows are wanted.

        Args:
            facts: What decides the images of the whole split.

        Returns:
            The entry, whose files agree with their checksums; None if there is none.
        """
        if self._directory is None or facts is None or not facts.num_bytes:
            return None
        place = self._place(facts)
        entry = self._open(place, facts)
        if entry is None:
            return None
        try:
            entry.verify()
        except UnusableError as error:
            self._warn_unusable(place, error)
            return None
        self._tell_of(facts, f"read from {place}")
        return entry

    def _place(self, facts: Facts) -> pathlib.Path:
        assert self._directory is not None
        # Names of splits and data sets come from the files of the set.
        data, split = (
            re.sub(r"\W+", "_", text)[-60:] for text in (facts.data, facts.split)
        )
        size = "x".join(map(str, facts.shape[1:]))
        name = f"{split}-{size}-{digest_of(facts.recipe)}"
        return self._directory / data / name

    def _open(
        self, place: pathlib.Path, facts: Facts, is_second: bool = False
    ) -> Entry | None:
        if not os.path.lexists(place):
            return None
        try:
            return open_entry(place, facts)
        except UnusableError as error:
            if not is_second:
                self._warn_unusable(place, error)
            return None

    def _read(
        self, place: pathlib.Path, facts: Facts, is_second: bool = False
    ) -> LabelledImages | None:
        entry = self._open(place, facts, is_second)
        try:
            return None if entry is None else entry.whole()
        except UnusableError as error:
            if not is_second:
                self._warn_unusable(place, error)
            return None

    def _can_write(self, place: pathlib.Path, facts: Facts) -> bool:
        """Tells whether an entry can be written, and says why not."""
        assert self._directory is not None
        root = os.path.realpath(self._directory)
        # A link in a stranger's directory would have another one replaced.
        if os.path.realpath(place) != os.path.join(
            root, place.relative_to(self._directory)
        ):
            warn(
                f"{place} is reached by a symbolic link: the decoded images are not "
                "kept; remove it, or name another --data_cache."
            )
            return False
        there = next(path for path in (place, *place.parents) if path.is_dir())
        try:
            free = shutil.disk_usage(there).free
            if free < facts.num_bytes + _SPARE:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if not os.access(there, os.W_OK):
                raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            self._warn_unwritten(facts, error)
            return False
        return True

    def _keep(
        self, place: pathlib.Path, facts: Facts, part: LabelledImages
    ) -> LabelledImages:
        """Writes a split if that can be done, and returns it."""
        if part.images.shape != facts.shape:
            return part  # Such as one whose count is wrong, which is said elsewhere.
        try:
            with contextlib.suppress(OSError):  # Of a process that was killed.
                atomic.remove_leftovers(place.parent)
            write_entry(place, facts, part)
        except OSError as error:
            self._warn_unwritten(facts, error)
        return part

    def _warn_unwritten(self, facts: Facts, error: OSError) -> None:
        if error.errno in _NOT_ALLOWED and not self._was_asked_for:
            return
        warn(
            f"the decoded images of {facts.data}, {_size(facts)}, are not kept in "
            f"{self._directory} ({error.strerror or error}), and are decoded at every "
            "start: make room, or choose by --data_cache=DIR or --data_cache=none."
        )

    def _warn_unusable(self, place: pathlib.Path, error: UnusableError) -> None:
        warn(f"the decoded images in {place} are {error}: the images are decoded anew.")

    def _wait(self, holder: str) -> None:
        print(f"waiting for {holder}, which decodes the same data set", flush=True)

    def _tell_of(self, facts: Facts, what: str) -> None:
        self._tell(f"decoded images      {facts.split}, {_size(facts)}: {what}")


def _size(facts: Facts) -> str:
    return f"{facts.num_bytes / 2**20:.1f} MiB"


WITHOUT_CACHE = DataCache(None)
