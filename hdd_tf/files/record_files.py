"""Reads TFRecord files, and counts their records, without TensorFlow."""

import os
import struct
from collections.abc import Iterator

# A record follows its length and the length's sum, and precedes the record's sum.
_LENGTH = struct.Struct("<Q4x")
_BYTES_AFTER = 4


def count_records(path: str | os.PathLike, most: int) -> int:
    """Returns the number of records in a file.

    TensorFlow allocates as much memory as a record's header asks for, and the process
    dies without an error if there is less. A count beforehand detects such headers.

    Args:
        path: The file.
        most: Largest number of records that the caller can use.

    Raises:
        OSError: the file cannot be read.
        ValueError: the lengths of the records do not add up to the file's length, or
            the file has more than `most` records.
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


def small_records(path: str | os.PathLike, most_bytes: int) -> Iterator[bytes]:
    """Yields the records of a file that are not too long, without checking their sums.

    Args:
        path: The file. A last record that is not whole, as a killed process leaves it,
            is passed over.
        most_bytes: Longer records are passed over unread.

    Raises:
        OSError: the file cannot be read.
    """
    size = os.stat(path).st_size
    with open(path, "rb") as file:
        while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
            (length,) = _LENGTH.unpack(head)
            if length > most_bytes:
                if length > size - file.tell():
                    return  # A damaged length may be farther than files reach.
                file.seek(length + _BYTES_AFTER, os.SEEK_CUR)
                continue
            record = file.read(length)
            if len(record) < length:
                return
            yield record
            file.read(_BYTES_AFTER)
