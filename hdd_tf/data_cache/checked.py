"""What is known of an entry's images without reading them all again.

`checked.json` beside the images says that they agreed with their checksum when they
had the size and the times of change that they still have, and keeps values that are
computed from all of them. One of the times is the system's own, which no copy brings
along: what a stranger's directory says of itself is never believed.
"""

import contextlib
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from hdd_tf.files import atomic
from hdd_tf.files.json_files import read_json
from hdd_tf.files.json_text import to_plain

_CHECKED = "checked.json"


class Checked:
    """The record of one entry; where it cannot be written nothing is remembered.

    Args:
        directory: The entry.
        images: Name of its file of images.
    """

    def __init__(self, directory: pathlib.Path, images: str) -> None:
        self._path = directory / _CHECKED
        found = os.lstat(directory / images)
        self._state = {
            "bytes": found.st_size,
            "mtime_ns": found.st_mtime_ns,
            "ctime_ns": found.st_ctime_ns,
        }
        self._known: dict[str, Any] = {}

    @property
    def is_whole(self) -> bool:
        """Whether the images agreed with their checksum, and are unchanged since."""
        return self._values() is not None

    def note(self) -> None:
        """Records that the images agree with their checksum."""
        self._write(self._values() or {})

    def know(self, name: str, value: Any) -> None:
        """Takes a value that the entry itself records."""
        self._known[name] = value

    def remembered(self, name: str, compute: Callable[[], Any]) -> Any:
        """Returns a value of JSON that is computed once from all images.

        Args:
            name: What it is.
            compute: Computes it.
        """
        if name in self._known:
            return self._known[name]
        values = self._values() or {}
        if name not in values:
            values[name] = to_plain(compute())
            # Another process may have noted others meanwhile.
            self._write({**(self._values() or {}), **values})
        self._known[name] = values[name]
        return values[name]

    def _values(self) -> dict[str, Any] | None:
        """Returns what is noted of the images as they are; None if that is nothing."""
        try:
            content = read_json(self._path)
        except (OSError, ValueError):
            return None
        if not isinstance(content, dict) or content.get("images") != self._state:
            return None
        values = content.get("values")
        return values if isinstance(values, dict) else None

    def _write(self, values: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):
            atomic.write_json(
                self._path, {"images": self._state, "values": dict(values)}
            )
