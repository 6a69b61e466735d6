"""A shelf: the networks of an expert buffer that one run takes."""

import dataclasses
import math

from hdd_tf.data.memory import check_room
from hdd_tf.progress import epoch_bar
from hdd_tf.training.experts import ExpertBuffer, Experts


@dataclasses.dataclass(frozen=True, eq=False)
class Shelf:
    """A number of networks of one kind, trained on the real images beforehand.

    Attributes:
        name: Name of the networks, for a progress bar and the costs of a run.
        buffer: Buffer that keeps them.
        number: Number of networks, >= 1.
        network_name: Key of `networks.registry.NETWORKS`.
        flag: Name of the setting of `number`; empty where this is always 1.
        with_initial: True if the run needs the initial weights too.
        looks: Number of images that a run passes through each network besides its
            iterations.
    """

    name: str
    buffer: ExpertBuffer
    number: int
    network_name: str
    flag: str = ""
    with_initial: bool = False
    looks: int = 0

    def take(self, *, dry_run: bool, progress: bool) -> Experts:
        """Returns the networks, after training those that are missing.

        Args:
            dry_run: True to return untrained networks, and to write nothing.
            progress: True to show a progress bar.

        Raises:
            InputError: a file of the buffer is damaged, or a network diverged.
            InterruptedRunError: a signal stopped the training, which is saved.
        """
        if dry_run:
            return self.buffer.untrained(self.number, self.with_initial)
        total = self.number * self.buffer.protocol.epochs
        with epoch_bar(self.name, total, progress) as bar:
            return self.buffer.take(self.number, bar.update, self.with_initial)

    def check_room(self) -> None:
        """Checks that there is room for the networks, on the disk and in memory.

        Raises:
            InputError: those that are missing cannot be written; or memory does not
                hold the networks that are in it at once.
        """
        self.check_memory()
        self.buffer.check_place(self.number)

    def check_memory(self) -> None:
        """Checks that memory holds all networks at once.

        Raises:
            InputError: it does not.
        """
        weights = sum(map(math.prod, self.buffer.network.weight_shapes))
        needed = self.number * 4 * weights * (1 + self.with_initial)
        if self.flag:
            subject = f"--{self.flag}={self.number} networks: holding them"
            check_room(subject, needed, "give fewer")
        else:
            subject = f"the network {self.network_name}: holding its weights"
            check_room(subject, needed, "name a smaller one")
