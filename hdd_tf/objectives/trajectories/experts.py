"""The experts of MTT and DATM, which train before the first iteration."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from hdd_tf.augment import dsa
from hdd_tf.data.dataset import Dataset
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.objectives.trajectories.snapshots import (
    KEPT,
    SnapshotBuffer,
    SnapshotReader,
    UntrainedSnapshots,
)
from hdd_tf.progress import epoch_bar
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.training.shelf import Shelf

# FTD's radius rho of the ascent, and its share alpha, of all cells of DATM.
_SHARPNESS = (0.01, 0.3)


@dataclasses.dataclass(frozen=True, eq=False)
class TrajectoryShelf(Shelf):
    """A shelf of experts whose snapshots a run reads; it holds one expert at most.

    Attributes:
        last_epoch: Last epoch whose weights iterations need.
        seed: Seed of the experts.
    """

    last_epoch: int = 0
    seed: int = 0

    def complete(self, *, dry_run: bool, progress: bool) -> None:
        """Trains the experts that are missing, and looks at the others' files.

        Args:
            dry_run: True to train none.
            progress: True to show a progress bar.

        Raises:
            InputError: the experts are of something else, a snapshot is missing or of
                another size, or an expert diverged.
            InterruptedRunError: a signal stopped the training, which is saved.
        """
        if dry_run:
            return
        total = self.number * self.buffer.protocol.epochs
        with epoch_bar(self.name, total, progress) as bar:
            self.buffer.complete(self.number, bar.update)
        self._snapshots.check(self.number, self.last_epoch)

    def weights(self, index: int, *, dry_run: bool) -> Sequence[Any]:
        """Returns the weights of an expert after its last epoch; see `complete`.

        Args:
            index: Number of the expert.
            dry_run: True for its initial ones, as it is not trained.
        """
        read = self.buffer.initial if dry_run else self.buffer.trained
        return read(index)

    def reader(self, *, dry_run: bool) -> SnapshotReader | UntrainedSnapshots:
        """Returns what reads the snapshots; in a dry run there are none."""
        if dry_run:
            return UntrainedSnapshots(self.buffer.network, self.seed)
        return self._snapshots.reader()

    def check_room(self) -> None:
        """Checks that there is room; see `Shelf.check_room`."""
        self.buffer.check_place(self.number)

    @property
    def _snapshots(self) -> SnapshotBuffer:
        assert isinstance(self.buffer, SnapshotBuffer)
        return self.buffer


def plain_shelf(
    config: Any, dataset: Dataset, network: FunctionalNetwork
) -> TrajectoryShelf:
    """Returns MTT's experts, which train by plain SGD.

    Args:
        config: The run's `Config`.
        dataset: Data set whose training split the experts learn.
        network: The network `--network`, a function of its weights.
    """
    return _shelf(config, dataset, network, ())


def flat_shelf(
    config: Any, dataset: Dataset, network: FunctionalNetwork
) -> TrajectoryShelf:
    """Returns DATM's experts, which train by FTD's sharpness-aware updates.

    Args:
        config: The run's `Config`.
        dataset: Data set whose training split the experts learn.
        network: The network `--network`, a function of its weights.
    """
    return _shelf(config, dataset, network, _SHARPNESS)


def _shelf(
    config: Any,
    dataset: Dataset,
    network: FunctionalNetwork,
    sharpness: tuple[float, ...],
) -> TrajectoryShelf:
    protocol = TrainingProtocol(
        epochs=config.trajectory_epochs,
        batch_size=config.trajectory_batch,
        learning_rate=0.01,
        momentum=0.0,
        weight_decay=0.0,
        reset_velocity=False,
        augmentations=dsa.parse_strategy(config.dsa),
        sharpness=sharpness,
    )
    buffer = SnapshotBuffer(
        config.expert_dir,
        network.in_precision(config.precision),
        config.network_title(),
        dataset,
        protocol,
        config.expert_seed,
        config.precision,
        label_names=dataset.label_names,
        kept=KEPT,
    )
    return TrajectoryShelf(
        "trajectories",
        buffer,
        config.trajectory_experts,
        config.network,
        "trajectory_experts",
        last_epoch=config.trajectory_bound - 1 + config.trajectory_span,
        seed=config.expert_seed,
    )
