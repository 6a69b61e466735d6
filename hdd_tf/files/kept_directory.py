"""Directories that get new files, because no other one can take their place.

Something is mounted there, nobody but another user may change the names beside it, or
this process works in it.
"""

import contextlib
import os
import pathlib
import shutil
import stat

from hdd_tf.files.unfinished import partial_name, sync_directory

_MOUNTS = pathlib.Path("/proc/self/mountinfo")


def stays(target: pathlib.Path) -> bool:
    """Returns whether another directory cannot take the place of a resolved path."""
    if not target.is_dir():
        return False
    with contextlib.suppress(OSError):  # The working directory may be gone.
        place = pathlib.Path.cwd()
        if target in (place, *place.parents):
            return True
    return _is_mounted(target) or not _may_rename(target)


def _is_mounted(target: pathlib.Path) -> bool:
    if os.path.ismount(target):
        return True
    # Not of a part of the same file system.
    try:
        lines = _MOUNTS.read_bytes().splitlines()
    except OSError:
        return False
    # Spaces and the like stand there as octal numbers.
    name = b"".join(
        b"\\%03o" % byte if byte in b" \t\n\\" else bytes([byte])
        for byte in os.fsencode(target)
    )
    return any(line.split()[4:5] == [name] for line in lines)


def _may_rename(target: pathlib.Path) -> bool:
    above = target.parent
    if not os.access(above, os.W_OK | os.X_OK):
        return False
    # There everybody may write, and rename what is their own.
    is_sticky = above.stat().st_mode & stat.S_ISVTX
    own = (0, above.stat().st_uid, target.stat().st_uid)
    return not is_sticky or os.geteuid() in own


def fill(partial: pathlib.Path, target: pathlib.Path) -> None:
    """Moves the entries of `partial` up into `target`, in place of those there.

    An error changes nothing. A kill while the names change leaves some old and some new
    entries, and the others under hidden names.

    Args:
        partial: A directory with a temporary name in `target`.
        target: The directory.

    Raises:
        OSError: an entry cannot be moved.
    """
    previous = partial_name(target / target.name)
    previous.mkdir()
    moved: list[tuple[pathlib.Path, pathlib.Path]] = []

    def move(entry: pathlib.Path, place: pathlib.Path) -> None:
        entry.rename(place / entry.name)
        moved.append((entry, place / entry.name))

    try:
        # What both have comes last, such as the file that describes all others.
        new = sorted(partial.iterdir(), key=lambda path: (target / path.name).exists())
        for entry in new:
            if (target / entry.name).exists():
                move(target / entry.name, previous)
            move(entry, target)
        names = {entry.name for entry in new} | {partial.name, previous.name}
        for entry in list(target.iterdir()):
            if entry.name not in names:
                move(entry, previous)
    except BaseException:
        for entry, now in reversed(moved):
            now.rename(entry)
        previous.rmdir()
        raise
    sync_directory(target)
    shutil.rmtree(previous, ignore_errors=True)
    partial.rmdir()
