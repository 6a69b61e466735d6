"""Whether an export may be written where it is asked for."""

import pathlib

from hdd_tf.errors import InputError
from hdd_tf.files.links import check_writable
from hdd_tf.files.unfinished import entries_of


def check_replaceable(
    target: pathlib.Path,
    what: str,
    is_ours: bool,
    overwrite: bool,
    *,
    flag: str = "",
    replace: str = "add --overwrite",
) -> None:
    """Checks that a directory may be written, before anything is read or trained.

    Args:
        target: Directory of the export.
        what: Which export it may hold, as `a distilled set`.
        is_ours: Whether the directory is missing, empty or holds such an export.
        overwrite: True if such an export may be replaced.
        flag: Text before the directory in messages; empty where no flag named it.
        replace: What messages advise in order to replace an export.

    Raises:
        InputError: `target` is a file, cannot be written to, holds other things, or an
            export that may not be replaced.
    """
    if target.exists() and not target.is_dir():
        raise InputError(f"{flag}{target} is a file: name a directory")
    check_writable(target, flag)
    if not is_ours:
        raise InputError(
            f"{flag}{target} holds other things than {what}: name a new or empty "
            "directory"
        )
    if target.exists() and any(entries_of(target)) and not overwrite:
        raise InputError(
            f"{flag}{target} holds {what}: name another directory, or {replace} to "
            "replace it"
        )
