"""Standard output and standard error that never stop a program.

A run takes hours, and its results are files. That the reader of a pipe has gone, that a
terminal has closed or cannot show a character, or that the disk behind a redirection is
full is no reason to lose them.
"""

import codecs
import errno
import io
import os
import sys
from typing import TextIO, cast

from hdd_tf.errors import InputError

_HANDLER = "hdd_tf.readable"
# What to write where an encoding lacks a character; others are escaped.
_READABLE = {"±": "+/-"}
# Of a reader that has gone, as that of `hdd-tf report RUN | head -1`: it wants no more.
_READER_GONE = {errno.EPIPE, errno.EIO}


class LastingStream(io.TextIOWrapper):
    """A text stream that is written as far as that is possible.

    Attributes:
        lost: The first error of a write, if it is not that the reader has gone.
    """

    lost: OSError | None = None

    def write(self, text: str) -> int:
        """Writes text, or loses it."""
        try:
            return super().write(text)
        except OSError as error:
            self._note(error)
            return len(text)

    def flush(self) -> None:
        """Writes what is buffered, or leaves it for later."""
        try:
            super().flush()
        except OSError as error:
            self._note(error)

    def _note(self, error: OSError) -> None:
        if self.lost is None and error.errno not in _READER_GONE:
            self.lost = error


def keep_outputs() -> None:
    """Makes `sys.stdout` and `sys.stderr` streams whose writes never fail."""
    # A file that is opened later would get the number of a closed one of these, and in
    # its contents whatever libraries print.
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    sys.stdout = _lasting(sys.stdout, 1)
    sys.stderr = _lasting(sys.stderr, 2)


def print_product(text: str) -> None:
    """Prints what a command was called for, and is nowhere else.

    Args:
        text: What to print, without a last end of line.

    Raises:
        InputError: it cannot be written, though somebody is there to read it.
    """
    print(text, flush=True)
    if lost := getattr(sys.stdout, "lost", None):
        raise InputError(
            f"standard output cannot be written ({lost.strerror}): make room, or "
            "direct it elsewhere"
        )


def _in_readable_words(error: UnicodeError) -> tuple[str | bytes, int]:
    """Replaces characters that an encoding lacks; an error handler of `codecs`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    if character not in _READABLE:
        return codecs.backslashreplace_errors(error)
    return _READABLE[character], error.start + 1


codecs.register_error(_HANDLER, _in_readable_words)


def _lasting(stream: TextIO | None, number: int) -> LastingStream:
    """Returns a stream like one of Python's, which is None where it was closed."""
    if stream is None:
        return LastingStream(
            open(number, "wb", closefd=False), "utf-8", _HANDLER, line_buffering=True
        )
    stream = cast(io.TextIOWrapper, stream)
    # Other ways to write such characters were asked for by PYTHONIOENCODING.
    is_default = stream.errors in {"strict", "surrogateescape", "backslashreplace"}
    return LastingStream(
        stream.buffer,
        stream.encoding,
        _HANDLER if is_default else stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
