"""The directory of experts of one kind: what is there, and room for what is missing."""

import contextlib
import pathlib
import time
from collections.abc import Callable, Iterator

import numpy as np

from hdd_tf.files import links, lock
from hdd_tf.files.disk_room import check_disk_room
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.training.network_files import NetworkFiles
from hdd_tf.training.training_variables import Training

# A training that is killed loses no more than this.
_SECONDS_BETWEEN_SAVES = 300.0


class ExpertFiles:
    """The files of experts, one of each.

    Args:
        path: Directory of the experts.
        files: Reader and writer of the files.
        protocol: Training protocol of the experts.

    Attributes:
        path: Directory of the experts.
        protocol: Training protocol of the experts.
    """

    def __init__(
        self, path: pathlib.Path, files: NetworkFiles, protocol: TrainingProtocol
    ) -> None:
        self.path = path
        self.protocol = protocol
        self._files = files

    def missing(self, count: int) -> int:
        """Returns how many of the first `count` experts are still to be trained."""
        return sum(not self._file(index).exists() for index in range(count))

    def trained(self, index: int) -> list[np.ndarray]:
        """Returns the weights of an expert that is trained.

        Raises:
            InputError: its file is damaged.
        """
        return list(self._files.read(self._file(index)).weights)

    def check_place(self, count: int) -> None:
        """Checks that the experts that are missing can be written.

        Args:
            count: Number of experts that are needed.

        Raises:
            InputError: nothing can be written to the directory, or its disk has less
                room than they take.
        """
        missing = self.missing(count)
        if not missing:
            return
        links.check_writable(self.path, "--expert_dir: ")
        check_disk_room(
            self.path,
            self.bytes_to_write(count),
            f"--expert_dir={self.path.parent}: the networks that train first "
            f"({missing} of {self.protocol.epochs} epochs)",
            "make room, or name another place",
        )

    def bytes_to_write(self, count: int) -> int:
        """Returns the bytes that the experts that are missing take on a disk."""
        return sum(
            self._bytes_of(index)
            for index in range(count)
            if not self._file(index).exists()
        )

    def _bytes_of(self, index: int) -> int:
        """Returns the bytes that an expert takes beside what there is of it."""
        del index
        return self._files.num_bytes

    @contextlib.contextmanager
    def _held(self, count: int) -> Iterator[None]:
        """Holds the directory against other processes if experts are missing.

        Finished experts do not change, and their directory may be read-only, so reading
        them takes no lock.
        """
        with contextlib.ExitStack() as stack:
            if self.missing(count):
                self.check_place(count)
                stack.enter_context(lock.locked(self.path, self._print_wait))
                links.refuse_links_out(self.path)
            yield

    def _file(self, index: int) -> pathlib.Path:
        return self.path / f"expert_{index:03d}.npz"

    def _unfinished(self, index: int) -> pathlib.Path:
        return self.path / f"expert_{index:03d}_unfinished.npz"

    def _saver(self, file: pathlib.Path, trainer: Training) -> Callable[[], None]:
        """Returns a function that saves a training now and then."""
        saved_at = time.monotonic()

        def save_now_and_then() -> None:
            nonlocal saved_at
            if time.monotonic() - saved_at > _SECONDS_BETWEEN_SAVES:
                self._files.write(file, trainer.snapshot())
                saved_at = time.monotonic()

        return save_now_and_then

    def _print_wait(self, holder: str) -> None:
        print(f"waiting for {holder}, which trains experts in {self.path}", flush=True)
