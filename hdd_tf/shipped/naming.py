"""Names of shipped sets where a path is asked for."""

import difflib
import os
import re

from hdd_tf.errors import InputError
from hdd_tf.shipped.catalogue import shipped_directory, shipped_names

# Such a word may be meant as the name of a set; a path or file name has other
# characters, or exists.
_NAME = re.compile(r"\w[\w-]*", re.ASCII)


def is_shipped(place: str | os.PathLike) -> bool:
    """Returns True if a place names a set that comes with hdd_tf, and is no path."""
    name = os.fspath(place)
    return (
        isinstance(name, str) and name in shipped_names() and not os.path.lexists(name)
    )


def place_of_set(place: str) -> str:
    """Returns where a set lies that a user names by path or by name.

    Args:
        place: A path, or the name of a set that comes with hdd_tf. A file or directory
            of that name in the working directory is meant where there is one, so that
            a program does not read something else once a set of its name is shipped.

    Returns:
        The path; `place` itself where it is one.

    Raises:
        InputError: It can only be a name, and there is no such set. The message lists
            the sets, the most similar name first.
    """
    if is_shipped(place):
        return str(shipped_directory() / place)
    if os.path.lexists(place) or not _NAME.fullmatch(place):
        return place
    names = ", ".join(nearest_names(place)) or "none is there"
    raise InputError(
        f"{place} does not exist: give a distilled set or a run, or a set that comes "
        f"with hdd_tf: {names}"
    )


def nearest_names(name: str) -> list[str]:
    """Returns the names of all shipped sets, those most similar to `name` first."""
    known = shipped_names()
    return difflib.get_close_matches(name, known, n=max(1, len(known)), cutoff=0)
