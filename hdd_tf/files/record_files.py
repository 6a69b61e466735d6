"""The records of a TFRecord file, counted without TensorFlow."""

import os
import struct

# A record's length and a sum of that come before it, and a sum of the record after it.
_LENGTH = struct.Struct("<Q4x")
_BYTES_AFTER = 4


def count_records(path: str | os.PathLike, most: int) -> int:
    """Returns how many records a file has.

    TensorFlow takes as much memory as a record's head says, and dies without an error
    if there is not so much.

    Args:
        path: The file.
        most: Of how many the caller can make use.

    Raises:
        OSError: it cannot be read.
        ValueError: the lengths of its records do not add up to its own, or it has more
            than `most`.
    """
    size, position, found = os.stat(path).st_size, 0, 0
    with open(path, "rb") as file:
        while position < size and found <= most:
            file.seek(position)
            head = file.read(_LENGTH.size)
            if len(head) < _LENGTH.size:
                break
            position += _LENGTH.size + _LENGTH.unpack(head)[0] + _BYTES_AFTER
            found += 1
    if position != size or found > most:
        raise ValueError(f"not at most {most} records of {size} bytes in all")
    return found
