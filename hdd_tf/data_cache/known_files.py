"""Numbers that were read from files, so that later starts need not open the files.

One file holds them for many: a line of JSON, then 16 bytes of each file's key, then its
numbers. A key is a sum of the file's name, size and time of change, so what is known of
a file that has changed is not found. A record may come from anyone, like an entry: its
size must be that of its own first line, and fit the number of files that are asked for.
"""

import contextlib
import hashlib
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from hdd_tf.data_cache.entry import UnusableError, size_of_file
from hdd_tf.files import atomic

_FORMAT = 1
_KEY_BYTES = 16
# Of the first line, which also has what was noted of all files together.
_LONGEST_LINE = 2**16


class KnownFiles(NamedTuple):
    """What is known of files.

    Attributes:
        keys: `[n]` of type `S16`, from `key_of`.
        values: `[n, k]` int32, the numbers of each file.
        notes: What was noted of all files together, as JSON has it.
    """

    keys: np.ndarray
    values: np.ndarray
    notes: Mapping[str, Any]

    def find(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Looks files up.

        Args:
            keys: `[m]` of type `S16`.

        Returns:
            `[m, k]` int32 numbers, and `[m]` bool, whether a file is known; the numbers
            of one that is not are 0.
        """
        found = np.zeros((len(keys), self.values.shape[1]), np.int32)
        if not len(self.keys):
            return found, np.zeros(len(keys), bool)
        order = np.argsort(self.keys, kind="stable")
        places = np.searchsorted(self.keys, keys, sorter=order)
        rows = order[places.clip(max=len(order) - 1)]
        is_known = self.keys[rows] == keys
        found[is_known] = self.values[rows[is_known]]
        return found, is_known


def key_of(name: str, state: os.stat_result) -> bytes:
    """Returns the key of a file in a state.

    Args:
        name: Its path below the folder that all files are in.
        state: What the system says of it.
    """
    text = f"{name}\0{state.st_size}\0{state.st_mtime_ns}"
    return hashlib.blake2b(os.fsencode(text), digest_size=_KEY_BYTES).digest()


def read_known(
    path: pathlib.Path, identity: str, width: int, most_files: int
) -> KnownFiles:
    """Reads a record; what is missing, damaged or of something else knows nothing.

    Args:
        path: The record.
        identity: What the numbers are of.
        width: How many numbers each file has.
        most_files: The largest number of files that is read.
    """
    nothing = KnownFiles(np.empty(0, "S16"), np.empty((0, width), np.int32), {})
    damage = OSError, ValueError, TypeError, LookupError, UnusableError, RecursionError
    with contextlib.suppress(*damage):
        size = size_of_file(path)
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags), "rb") as file:
            line = file.readline(_LONGEST_LINE)
            content = json.loads(line)
            count, notes = content["files"], content["notes"]
            if (
                content["of"] != _identity(identity, width)
                or type(count) is not int
                or not 0 <= count <= most_files
                or not isinstance(notes, dict)
                or size != len(line) + count * (_KEY_BYTES + 4 * width)
            ):
                return nothing
            data = file.read(size - len(line))
        if content["sha256"] != hashlib.sha256(data).hexdigest():
            return nothing
        return KnownFiles(
            np.frombuffer(data, "S16", count),
            np.frombuffer(data, "<i4", offset=count * _KEY_BYTES).reshape(-1, width),
            notes,
        )
    return nothing


def write_known(path: pathlib.Path, identity: str, known: KnownFiles) -> None:
    """Writes a record, or nothing where that is not possible.

    Args:
        path: The record.
        identity: What the numbers are of.
        known: What is known.
    """
    values = np.ascontiguousarray(known.values, "<i4")
    parts = [np.ascontiguousarray(known.keys).view(np.uint8).data, values.data]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    content = {
        "of": _identity(identity, known.values.shape[1]),
        "files": len(known.keys),
        "notes": dict(known.notes),
        "sha256": digest.hexdigest(),
    }
    line = json.dumps(content).encode() + b"\n"
    # It spares time and nothing else.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(path, b"".join([line, *parts]))


def _identity(identity: str, width: int) -> str:
    return f"{_FORMAT} {width} {identity}"
