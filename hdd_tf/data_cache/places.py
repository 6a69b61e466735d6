"""Where the entries of a cache lie, and whether they can be read and written."""

import contextlib
import errno
import os
import pathlib
import re
import shutil
from collections.abc import Callable

from hdd_tf.data_cache.entry import (
    IMAGES,
    Entry,
    Facts,
    UnusableError,
    digest_of,
    open_entry,
)
from hdd_tf.data_cache.writing_in_parts import unfinished_of
from hdd_tf.errors import InputError, warn
from hdd_tf.files.disk_room import size_text

# Left free for whatever else is written there.
_SPARE = 2**26


class Places:
    """A directory of entries.

    Args:
        directory: The directory; None for none.
        tell: Called with a line for each split: where it is, or would be written.

    Attributes:
        directory: The directory, absolute, or None.
    """

    def __init__(
        self,
        directory: str | os.PathLike | None,
        tell: Callable[[str], object],
    ) -> None:
        self.directory = None
        if directory is not None:
            self.directory = pathlib.Path(directory).expanduser().absolute()
        self._tell = tell

    @property
    def is_there(self) -> bool:
        """Whether there is a directory to look into."""
        return self.directory is not None

    def place_of(self, facts: Facts) -> pathlib.Path:
        """Returns the directory of the entry of a split."""
        assert self.directory is not None
        data, split = _as_name(facts.data), _as_name(facts.split)
        size = "x".join(map(str, facts.shape[1:]))
        name = f"{split}-{size}-{digest_of(facts.recipe)}"
        return self.directory / data / name

    def place_of_record(self, data: str, identity: str) -> pathlib.Path | None:
        """Returns the file of what is known of a data set beside its decoded images.

        Args:
            data: Name of the data set.
            identity: What tells its record from others of the name.

        Returns:
            The file, which need not be there; None without a directory, or where a
            symbolic link leads there.
        """
        if self.directory is None:
            return None
        name = f"known-{digest_of(identity)}.bin"
        path = self.directory / _as_name(data) / name
        is_linked = os.path.realpath(path) != os.path.join(
            os.path.realpath(self.directory), path.relative_to(self.directory)
        )
        return None if is_linked else path

    def open(
        self, place: pathlib.Path, facts: Facts, is_second: bool = False
    ) -> Entry | None:
        """Returns the entry of a split; None, and a warning, where it is unusable.

        Args:
            place: Its directory.
            facts: What decides its images.
            is_second: Whether the warning was given already.
        """
        if not os.path.lexists(place):
            return None
        try:
            return open_entry(place, facts)
        except UnusableError as error:
            if not is_second:
                self.warn_unusable(place, error)
            return None

    def check_place(
        self, place: pathlib.Path, facts: Facts, needed: int | None = None
    ) -> None:
        """Checks that an entry can be written.

        Args:
            place: The entry.
            facts: What decides its images.
            needed: Bytes of all that will be written; None for this entry alone.

        Raises:
            InputError: a symbolic link leads there.
            OSError: there is no room, or no permission.
        """
        assert self.directory is not None
        root = os.path.realpath(self.directory)
        # A link in a stranger's directory would have another one replaced.
        if os.path.realpath(place) != os.path.join(
            root, place.relative_to(self.directory)
        ):
            raise InputError(
                f"{place} is reached by a symbolic link: remove it, or name another "
                "--data_cache."
            )
        there = next(path for path in (place, *place.parents) if path.is_dir())
        needed = self.missing_bytes(facts) if needed is None else needed
        if shutil.disk_usage(there).free < needed + _SPARE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if not os.access(there, os.W_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    def missing_bytes(self, facts: Facts) -> int:
        """Returns the bytes of an entry that have no place on the disk yet."""
        begun = unfinished_of(self.place_of(facts)) / IMAGES
        with contextlib.suppress(OSError):
            return max(0, facts.num_bytes - 512 * os.lstat(begun).st_blocks)
        return facts.num_bytes

    def warn_unusable(self, place: pathlib.Path, error: UnusableError) -> None:
        """Says that an entry is made anew, and why."""
        warn(f"the decoded images in {place} are {error}: the images are decoded anew.")

    def wait(self, holder: str) -> None:
        """Says for whom this process waits."""
        print(f"waiting for {holder}, which decodes the same data set", flush=True)

    def tell_of(self, facts: Facts, what: str) -> None:
        """Tells a line of a split."""
        self._tell(f"decoded images      {facts.split}, {size_of(facts)}: {what}")


def _as_name(text: str) -> str:
    """Returns the name of a file for that of a split or data set, of any characters."""
    return re.sub(r"\W+", "_", text)[-60:]


def size_of(facts: Facts) -> str:
    """Returns the size of the images of a split, for messages."""
    return size_text(facts.num_bytes)
