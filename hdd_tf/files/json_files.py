"""Reads JSON files that may come from untrusted sources.

Python's own reader allocates as much memory and recurses as deeply as a file asks for,
waits forever on a pipe, and accepts halves of characters (lone surrogates) that UTF-8
cannot encode.
"""

import json
import os
import pathlib
import re
import stat
from typing import Any

# Largest size in bytes of a run's own files, which have a few thousand numbers.
LARGEST = 64 * 2**20
# An escaped surrogate; most are in pairs, which are valid characters.
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


def read_json(path: pathlib.Path, largest: int = LARGEST) -> Any:
    """Returns the value in a JSON file.

    Args:
        path: The file.
        largest: Largest size of the file in bytes.

    Raises:
        OSError: the file does not exist or cannot be read.
        ValueError: the file is not an ordinary file, is too large, is not UTF-8, is not
            JSON, is nested too deeply, or has text that UTF-8 cannot encode.
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
    """Returns the bytes of a file that is not a pipe, device or folder.

    Args:
        path: The file.
        largest: Largest size of the file in bytes.

    Raises:
        OSError: the file does not exist or cannot be read.
        ValueError: the file is not an ordinary file, or is larger than `largest`.
    """
    # Opening a pipe would wait for its other end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("not an ordinary file")
        # Files of the system, such as those in /proc, have the size 0.
        data = b"" if found.st_size > largest else file.read(largest + 1)
        if (not data and found.st_size) or len(data) > largest:
            raise ValueError(f"more than {largest:,} bytes")
    return data
