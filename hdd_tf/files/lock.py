"""A directory for one process at a time.

The lock is an `flock` on a file in the directory. The system drops it with the process
that holds it, however that ends, so a killed one leaves nothing that bars the way; the
file alone means nothing.

On NFS, Linux turns `flock` into a lock at the server. A mount with `nolock` or
`local_lock` keeps it on one machine, and then nothing keeps two machines apart.
"""

import contextlib
import errno
import fcntl
import os
import pathlib
import platform
import sys
import time
from collections.abc import Callable, Iterator

from hdd_tf.errors import InputError

NAME = ".lock"
# Of making the file: each fails only if a holder removes the directory meanwhile, or if
# there cannot be one.
_ATTEMPTS = 100
# Of reading who holds it, and seconds between them.
_READS, _READ_EVERY = 20, 0.01


@contextlib.contextmanager
def locked(
    directory: str | os.PathLike, on_wait: Callable[[str], object] | None = None
) -> Iterator[None]:
    """Holds a directory against other processes, and against another hold of this one.

    The directory is made where it is missing, and removed again if nothing else was
    put there. Where files cannot be made the block runs without a lock: what it wants
    to write is refused anyway. Where the file system knows no locks it says so.

    Args:
        directory: What to hold.
        on_wait: Called with words for whoever holds it, before waiting for them. None:
            do not wait.

    Raises:
        InputError: another process holds it, and `on_wait` is None; or the lock's
            file is a link.
    """
    directory = pathlib.Path(directory).absolute()
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    descriptor = _acquire(directory, on_wait)
    try:
        yield
    finally:
        if descriptor is not None:
            # While it is held: whoever has opened it meanwhile finds out, and makes
            # a new one.
            if _is_file(descriptor, directory / NAME):
                (directory / NAME).unlink()
            os.close(descriptor)
        with contextlib.suppress(OSError):
            for path in missing:
                path.rmdir()


def _acquire(
    directory: pathlib.Path, on_wait: Callable[[str], object] | None
) -> int | None:
    """Returns the descriptor of the locked file; None where there can be none."""
    for _ in range(_ATTEMPTS):
        try:
            directory.mkdir(parents=True, exist_ok=True)
            # Through a link some other file would be emptied.
            descriptor = os.open(
                directory / NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666
            )
        except FileNotFoundError:
            continue  # The last holder has just removed the directory.
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise InputError(
                    f"{directory / NAME} is a symbolic link: remove it, the lock of "
                    f"{directory} has to lie there itself."
                ) from error
            return None
        try:
            _wait_for_lock(descriptor, directory, on_wait)
            if not _is_file(descriptor, directory / NAME):
                os.close(descriptor)
                continue
        except OSError as error:
            os.close(descriptor)
            print(
                f"hdd_tf: {directory} cannot be locked ({error.strerror}): take care "
                "that no other process uses it.",
                file=sys.stderr,
            )
            return None
        except BaseException:
            os.close(descriptor)
            raise
        with contextlib.suppress(OSError):  # A full disk: the lock holds all the same.
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} {platform.node()}\n".encode(), 0)
        return descriptor
    return None


def _wait_for_lock(
    descriptor: int,
    directory: pathlib.Path,
    on_wait: Callable[[str], object] | None,
) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _holder(descriptor)
        if on_wait is None:
            raise InputError(
                f"run_dir {directory} is in use by {holder}: wait until that ends, or "
                "give another --run_dir."
            ) from None
        on_wait(holder)
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _holder(descriptor: int) -> str:
    """Returns words for the process that holds a lock, as its file says."""
    for _ in range(_READS):
        text = os.pread(descriptor, 1000, 0).decode(errors="replace")
        number, _, host = text.partition(" ")
        if host:
            return f"process {number} on {host.strip()}"
        # It has the lock, and has not written yet who it is; on a full disk never.
        time.sleep(_READ_EVERY)
    return "another process"


def _is_file(descriptor: int, path: pathlib.Path) -> bool:
    """Says whether a path still names an open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False
