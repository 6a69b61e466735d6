"""Experts that leave their weights after every epoch, in files that graphs read.

A snapshot is a file of raw float32 values, little-endian, of all weights in the
network's order: `expert_007/epoch_012.f32`. So an iteration reads two snapshots, and no
run holds them all.
"""

import functools
import json
import pathlib
import zlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hdd_tf.errors import InputError, one_line
from hdd_tf.files import atomic
from hdd_tf.files.json_files import read_json
from hdd_tf.files.json_text import json_text
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.objectives.trajectories.flat_weights import FlatWeights
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.training.experts import ExpertBuffer
from hdd_tf.training.network_files import KIND_FILE
from hdd_tf.training.network_trainer import NetworkTrainer
from hdd_tf.training.training_variables import Training, TrainingState

# What a buffer of such experts says that it keeps, in `kind.json`.
KEPT = "the weights after every epoch"
_SUMS = "crc32.json"


class SnapshotBuffer(ExpertBuffer):
    """A buffer of experts with their snapshots; see `ExpertBuffer`."""

    def check(self, count: int, last: int) -> None:
        """Looks at the snapshots of epochs 0, ..., `last` of the first experts.

        They are not read, which would take long where there are many, and of which a
        run may use few: see `check_one`.

        Args:
            count: Number of experts, all trained.
            last: Last epoch that is needed.

        Raises:
            InputError: the directory holds experts of something else, or a snapshot is
                missing or of another size.
        """
        self._check_kind()
        for index in range(count):
            self._sums(index)
            for epoch in range(last + 1):
                self._check_size(self._snapshot(index, epoch))

    def check_one(self, index: int, epoch: int, whole: bool) -> None:
        """Checks the snapshot of an epoch.

        Args:
            index: Number of the expert.
            epoch: The epoch.
            whole: True to read it; False to look at its size.

        Raises:
            InputError: it is missing or damaged.
        """
        path = self._snapshot(index, epoch)
        # Before it is read, for a file that is no snapshot may be of any size.
        self._check_size(path)
        if not whole:
            return
        try:
            values = path.read_bytes()
        except OSError as error:
            raise self._refusal(path, error.strerror) from error
        if zlib.crc32(values) != self._sums(index)[epoch]:
            raise self._refusal(path, "it has changed")

    def reader(self) -> "SnapshotReader":
        """Returns the reader of the snapshots."""
        return SnapshotReader(self)

    @functools.cached_property
    def size(self) -> int:
        """Number of values P of a snapshot."""
        return FlatWeights(self.network.weight_shapes).size

    def _train(
        self,
        index: int,
        trainer: Training,
        on_epochs: Callable[[int], object],
        resume: TrainingState | None,
        on_call: Callable[[], None],
    ) -> None:
        def keep(epoch: int) -> None:
            weights = [weight.numpy().ravel() for weight in trainer.weights]
            values = np.concatenate(weights).astype("<f4")
            atomic.write_bytes(self._snapshot(index, epoch), values.tobytes())

        assert isinstance(trainer, NetworkTrainer)  # These buffers have no other.
        trainer.train(self._key(index), on_epochs, resume, on_call, keep)

    def _resumable(
        self, index: int, resume: TrainingState | None
    ) -> TrainingState | None:
        if resume is None:
            return None
        done = resume.updates // self._trainer_of_all().updates_per_epoch
        kept = all(self._snapshot(index, e).is_file() for e in range(done + 1))
        return resume if kept else None

    def _bytes_of(self, index: int) -> int:
        """Returns the bytes that an expert takes beside what there is of it."""
        places = (self._snapshot(index, e) for e in range(self.protocol.epochs + 1))
        lacking = sum(not place.is_file() for place in places)
        return super()._bytes_of(index) + lacking * 4 * self.size

    def _finish(self, index: int) -> None:
        epochs = range(self.protocol.epochs + 1)
        sums = [zlib.crc32(self._snapshot(index, e).read_bytes()) for e in epochs]
        atomic.write_json_of_numbers(self._folder(index) / _SUMS, {"crc32": sums})

    def _check_kind(self) -> None:
        """Raises InputError if `kind.json` says something else than the settings."""
        path = self.path / KIND_FILE
        expected = json.loads(json_text(self._kind))
        try:
            found = read_json(path)
            # A folder of the same images may have another name.
            other = [
                name
                for name in sorted({*expected, *found} - {"dataset"})
                if found.get(name) != expected.get(name)
            ]
        except (AttributeError, OSError, TypeError, ValueError) as error:
            raise InputError(
                f"{one_line(str(path))} cannot be read ({one_line(str(error))}), and "
                "it says what the trajectories beside it are of: give another "
                "--expert_dir, or move its folder away"
            ) from error
        if other:
            raise InputError(
                f"{one_line(str(path.parent))} holds other trajectories than the "
                f"settings ask for (their {other[0]} is another): give another "
                "--expert_dir, or move that folder away"
            )

    def _folder(self, index: int) -> pathlib.Path:
        return self.path / f"expert_{index:03d}"

    def _snapshot(self, index: int, epoch: int) -> pathlib.Path:
        return self._folder(index) / f"epoch_{epoch:03d}.f32"

    def _sums(self, index: int) -> list[int]:
        """Returns the sums of an expert's snapshots."""
        path = self._folder(index) / _SUMS
        try:
            sums = read_json(path)["crc32"]
            if len(sums) != self.protocol.epochs + 1:
                raise ValueError(f"{len(sums)} epochs")
        except (KeyError, OSError, TypeError, ValueError) as error:
            raise self._refusal(path, one_line(str(error))) from error
        return sums

    def _check_size(self, path: pathlib.Path) -> None:
        try:
            found = path.stat().st_size
        except OSError as error:
            raise self._refusal(path, error.strerror) from error
        if found != 4 * self.size:
            raise self._refusal(path, f"{found} bytes instead of {4 * self.size}")

    def _refusal(self, path: pathlib.Path, why: str | None) -> InputError:
        return InputError(
            f"{one_line(str(path))} cannot be used ({why}): move "
            f"{one_line(str(path.parent))} and its .npz file away, and that expert is "
            "trained again."
        )


class SnapshotReader:
    """Reads snapshots in a graph.

    Args:
        buffer: Buffer that keeps them.
    """

    def __init__(self, buffer: SnapshotBuffer) -> None:
        self._buffer = buffer
        self._path = str(buffer.path.absolute())
        self._whole: set[tuple[int, int]] = set()

    def check(self, expert: int, epoch: int) -> None:
        """Checks a snapshot before a graph reads it, at first by its sum.

        Raises:
            InputError: it is missing or damaged.
        """
        known = (expert, epoch) in self._whole
        self._buffer.check_one(expert, epoch, whole=not known)
        self._whole.add((expert, epoch))

    def read(self, expert: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        """Returns the weights `[P]` of an expert after an epoch."""
        with tf.device("CPU:0"):
            number, after = (
                tf.strings.as_string(value, width=3, fill="0")
                for value in (expert, epoch)
            )
            name = tf.strings.join(
                [self._path, "/expert_", number, "/epoch_", after, ".f32"]
            )
            values = tf.io.decode_raw(tf.io.read_file(name), tf.float32)
            return tf.ensure_shape(values, [self._buffer.size])


class UntrainedSnapshots:
    """Random weights in place of snapshots, for a dry run.

    Args:
        network: The network.
        seed: Seed of the experts.
    """

    def __init__(self, network: FunctionalNetwork, seed: int) -> None:
        self._network = network
        self._flat = FlatWeights(network.weight_shapes)
        self._seed = seed

    def check(self, expert: int, epoch: int) -> None:
        """Has nothing to check."""

    def read(self, expert: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        """Returns weights `[P]` that are others in every epoch."""
        key = derive_key(self._seed, Purpose.EXPERT, expert, epoch)
        return self._flat.join(self._network.initial_weights(key))
