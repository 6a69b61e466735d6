"""A directory for one process at a time.

The lock is filelock's `flock` on a file in the directory. The system drops it with the
process that holds it, however that ends, so a killed one leaves nothing that bars the
way; the file alone means nothing.

On NFS, Linux turns `flock` into a lock at the server. A mount with `nolock` or
`local_lock` keeps it on one machine, and then nothing keeps two machines apart.
"""

import contextlib
import os
import pathlib
import platform
import sys
import time
from collections.abc import Callable, Iterator

import filelock

from hdd_tf.errors import InputError

NAME = ".lock"
# Each attempt fails only if a holder removes the directory meanwhile, or if there
# cannot be one.
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
        RuntimeError: the same thread holds it already, and would wait for itself.
    """
    directory = pathlib.Path(directory).absolute()
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    hold = _Hold(directory / NAME)
    try:
        _acquire(hold, on_wait)
        yield
    finally:
        hold.release()
        with contextlib.suppress(OSError):
            for path in missing:
                path.rmdir()


def check_free(directory: str | os.PathLike) -> None:
    """Checks that no other process holds a directory now, and changes nothing.

    Raises:
        InputError: As `locked`.
    """
    if os.path.lexists(os.path.join(directory, NAME)):
        with locked(directory):
            pass


class _Hold:
    """The lock of one file, which is removed with it; filelock leaves it in place."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self._file: os.stat_result | None = None
        # Its other way, a file whose existence is the lock, would outlive a killed
        # holder.
        self._lock = filelock.FileLock(
            path, fallback_to_soft=False, on_acquired=self._name_holder
        )

    def acquire(self, wait: bool) -> None:
        """Takes the lock; raises what `FileLock.acquire` does."""
        self._lock.acquire(blocking=wait)

    def release(self) -> None:
        """Gives the lock back, if there is one."""
        if self._file is not None and self._lock.is_locked:
            # While it is held: whoever has opened the file meanwhile finds out, and
            # makes a new one. Where the directory was replaced, the file is another's.
            with contextlib.suppress(OSError):
                if os.path.samestat(self._file, os.lstat(self.path)):
                    self.path.unlink()
            self._lock.release()

    def _name_holder(self, descriptor: int) -> None:
        self._file = os.fstat(descriptor)
        with contextlib.suppress(OSError):  # A full disk: the lock holds all the same.
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} {platform.node()}\n".encode(), 0)


def _acquire(hold: _Hold, on_wait: Callable[[str], object] | None) -> None:
    """Takes a lock, or returns without it where there can be none."""
    directory, wait = hold.path.parent, False
    for _ in range(_ATTEMPTS):
        try:
            directory.mkdir(parents=True, exist_ok=True)
            hold.acquire(wait)
            return
        except FileNotFoundError:
            continue  # The last holder has just removed the directory.
        except filelock.Timeout:
            holder = _holder(hold.path)
            if holder is None:
                continue  # It has just ended.
            if on_wait is None:
                raise InputError(
                    f"run_dir {directory} is in use by {holder}: wait until that ends, "
                    "or give another --run_dir."
                ) from None
            on_wait(holder)
            wait = True
        except OSError as error:
            # filelock opens no link: through it some other file would be emptied.
            if hold.path.is_symlink():
                raise InputError(
                    f"{hold.path} is a symbolic link: remove it, the lock of "
                    f"{directory} has to lie there itself."
                ) from error
            if os.access(hold.path, os.W_OK):  # The file is not what is wrong.
                print(
                    f"hdd_tf: {directory} cannot be locked ({error.strerror}): take "
                    "care that no other process uses it.",
                    file=sys.stderr,
                )
            return


def _holder(path: pathlib.Path) -> str | None:
    """Returns words for the process that holds a lock; None where its file is gone."""
    for _ in range(_READS):
        try:
            text = path.read_bytes()[:1000].decode(errors="replace")
        except FileNotFoundError:
            return None
        except OSError:
            break
        number, _, host = text.partition(" ")
        if host:
            return f"process {number} on {host.strip()}"
        # It has the lock, and has not written yet who it is; on a full disk never.
        time.sleep(_READ_EVERY)
    return "another process"
