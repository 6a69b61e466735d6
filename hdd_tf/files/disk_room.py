"""Whether a disk has room for what is going to be written."""

import os
import pathlib
import shutil

from hdd_tf.errors import InputError, one_line
from hdd_tf.files.links import nearest


def check_disk_room(
    place: str | os.PathLike, needed: int, subject: str, remedy: str
) -> None:
    """Checks that the disk of a directory has room, before the work that fills it.

    Args:
        place: The directory, which may not exist yet.
        needed: Bytes that are going to be written there.
        subject: What needs them, such as `--expert_dir=experts: 100 networks`.
        remedy: What to do if there are fewer.

    Raises:
        InputError: fewer bytes are free.
    """
    try:
        free = shutil.disk_usage(nearest(pathlib.Path(place))).free
    except OSError:  # It may go well; writing says if it does not.
        return
    if needed > free:
        raise InputError(
            f"{one_line(subject)} take {size_text(needed)} of disk, and "
            f"{size_text(free)} are free there: {remedy}"
        )


def size_text(count: int) -> str:
    """Returns a number of bytes as text: `12.4 GiB`, `0.3 MiB` or `7.8 KiB`."""
    if count >= 2**30:
        return f"{count / 2**30:,.1f} GiB"
    if count >= 2**20 / 10:  # Fewer would be 0.0.
        return f"{count / 2**20:.1f} MiB"
    return f"{count / 2**10:.1f} KiB"
