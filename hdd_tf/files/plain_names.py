"""Names of directories that TensorFlow takes as they stand.

TensorFlow reads brackets, stars, question marks and backslashes in the name of a
checkpoint as a pattern, also where it stands for one file, and refuses a name that is
not UTF-8. Linux gives every open directory a second name, which has none of these.
"""

import contextlib
import os
import pathlib
import re
from collections.abc import Iterator

from hdd_tf.errors import InputError

_PLAIN = re.compile(r"[^\x00-\x1f\x7f\\*?\[\]{}\ud800-\udfff]*")

# Where Linux lists what a process has open.
_OPEN = "/proc/self/fd"


@contextlib.contextmanager
def plainly_named(directory: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives a directory a name without special characters, for a while.

    Args:
        directory: The directory; missing ones are made where only another name helps.

    Yields:
        The directory itself if its name is plain, else another name of it, which no
        other process can use.

    Raises:
        InputError: the system has no other names for directories.
        OSError: it cannot be made or opened.
    """
    path = pathlib.Path(directory)
    if _PLAIN.fullmatch(str(path)):
        yield path
        return
    path.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        other = pathlib.Path(f"{_OPEN}/{descriptor}")
        if not other.is_dir():
            raise InputError(
                f"{path}: TensorFlow can use no directory with such characters in its "
                "name here: give one of letters, digits, - and _"
            )
        yield other
    finally:
        os.close(descriptor)
