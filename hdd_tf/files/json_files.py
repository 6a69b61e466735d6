"""Reading JSON files that may come from anywhere.

Python's own reader takes what memory and depth a file asks for, waits for ever on a
pipe, and lets halves of characters through that no file can be written with again.
"""

import json
import os
import pathlib
import re
import stat
from typing import Any

# Of a run's own files, which have a few thousand numbers.
LARGEST = 64 * 2**20
# An escaped half of a UTF-16 pair; most are one of two, which make a character.
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


def read_json(path: pathlib.Path, largest: int = LARGEST) -> Any:
    """Returns what a JSON file holds.

    Args:
        path: The file.
        largest: Bytes that it may have.

    Raises:
        OSError: it is not there, or cannot be read.
        ValueError: it is no ordinary file, too large, not UTF-8, not JSON, nested too
            deeply, or has text that UTF-8 cannot carry.
    """
    data = read_ordinary_file(path, largest)
    try:
        value = json.loads(data.decode("utf-8"))
        if _HALF.search(data):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def read_ordinary_file(path: pathlib.Path, largest: int) -> bytes:
    """Returns the bytes of a file that is no pipe, device or folder.

    Raises:
        OSError: it is not there, or cannot be read.
        ValueError: it is something else, or has more than `largest` bytes.
    """
    # Opening a pipe would wait for its other end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("not an ordinary file")
        # Files of the system, such as those in /proc, say 0.
        data = b"" if found.st_size > largest else file.read(largest + 1)
        if (not data and found.st_size) or len(data) > largest:
            raise ValueError(f"more than {largest:,} bytes")
    return data
