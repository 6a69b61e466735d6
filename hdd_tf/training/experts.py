"""Experts: networks trained on the real images beforehand, kept for many runs.

Expert k is a function of what its `kind.json` says and of k, and of nothing else. It
is kept under a name made from that, so whichever run first needs it trains it, and no
other run does again: one that needs it meanwhile waits. An interrupted training goes
on where it was.
"""

import contextlib
import hashlib
import io
import pathlib
import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hdd_tf.data.dataset import Dataset
from hdd_tf.errors import InputError, InterruptedRunError
from hdd_tf.files import atomic, links, lock
from hdd_tf.files.npz_file import read_npz
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.protocols.optimisers import optimiser_of
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.training.network_trainer import NetworkTrainer
from hdd_tf.training.training_variables import TrainingState

_FORMAT = 1
# A killed training loses no more than this.
_SECONDS_BETWEEN_SAVES = 300.0


class Experts(NamedTuple):
    """Trained networks beside their starts; each weight is `[count, ...]`."""

    initial: list[tf.Tensor]
    trained: list[tf.Tensor]

    @property
    def number(self) -> int:
        """How many there are."""
        return self.initial[0].shape[0]


class ExpertBuffer:
    """A directory of experts of one kind.

    Args:
        directory: Where experts of all kinds are kept.
        network: The network, a function of its weights.
        network_name: What it is called; with the shapes of its weights it says which.
        dataset: Its training split is what experts learn.
        protocol: How they learn it.
        seed: Experts are functions of it.
    """

    def __init__(
        self,
        directory: str | pathlib.Path,
        network: FunctionalNetwork,
        network_name: str,
        dataset: Dataset,
        protocol: TrainingProtocol,
        seed: int,
    ) -> None:
        self._network = network
        self._dataset = dataset
        self._protocol = protocol
        self._seed = seed
        self._kind = {
            "format": _FORMAT,
            "dataset": dataset.name,
            "training_images": dataset.training.checksum,
            "mean": dataset.mean,
            "std": dataset.std,
            "network": network_name,
            "weight_shapes": network.weight_shapes,
            "protocol": protocol.describe(),
            "seed": seed,
        }
        if dataset.whitening is not None:
            # A function of the training images; others' entries stay as they were.
            self._kind["whitening"] = {"epsilon": dataset.whitening.epsilon}
        text = atomic.json_text(self._kind)
        # A name may be a path or hold a version.
        name = re.sub(r"\W+", "_", dataset.name)[-40:]
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.path = pathlib.Path(directory) / f"{name}_{digest}"
        self._trainer: NetworkTrainer | None = None

    def take(
        self, count: int, on_epochs: Callable[[int], object] = lambda epochs: None
    ) -> Experts:
        """Returns the first experts, after training those that are not there yet.

        Args:
            count: How many, >= 1.
            on_epochs: Called now and then with the number of epochs just done, or
                found done.

        Raises:
            InputError: a file in the directory is damaged, or a network diverged.
            InterruptedRunError: a signal stopped the training, which is saved.
            OSError: the directory cannot be written.
        """
        with contextlib.ExitStack() as stack:
            # Whole experts do not change, and may lie where nothing can be written.
            if not all(self._file(index).exists() for index in range(count)):
                stack.enter_context(lock.locked(self.path, self._tell_wait))
                links.refuse_links_out(self.path)
            pairs = [self._expert(index, on_epochs) for index in range(count)]
        self._trainer = None  # Its copy of the images is not needed any more.
        initial, trained = zip(*pairs, strict=True)
        return Experts(*(_stack(weights) for weights in (initial, trained)))

    def untrained(self, count: int) -> Experts:
        """Returns stand-ins of the right shapes: experts that end where they start."""
        keys = [derive_key(self._seed, Purpose.EXPERT, index) for index in range(count)]
        start = [NetworkTrainer.initial_weights(self._network, key) for key in keys]
        return Experts(_stack(start), _stack(start))

    def _file(self, index: int) -> pathlib.Path:
        return self.path / f"expert_{index:03d}.npz"

    def _tell_wait(self, holder: str) -> None:
        print(f"waiting for {holder}, which trains experts in {self.path}", flush=True)

    def _expert(
        self, index: int, on_epochs: Callable[[int], object]
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Returns the start and the end of one expert."""
        key = derive_key(self._seed, Purpose.EXPERT, index)
        # The start is drawn again rather than kept.
        start = NetworkTrainer.initial_weights(self._network, key)
        initial = [weight.numpy() for weight in start]
        file = self._file(index)
        if file.exists():
            on_epochs(self._protocol.epochs)
            return initial, self._read(file).weights
        unfinished = self.path / f"expert_{index:03d}_unfinished.npz"
        resume = self._read(unfinished) if unfinished.exists() else None
        atomic.write_json(self.path / "kind.json", self._kind)
        trainer = self._trainer_of_all()
        if resume:
            on_epochs(resume.updates // trainer.updates_per_epoch)
        saved_at = time.monotonic()

        def save_now_and_then() -> None:
            nonlocal saved_at
            if time.monotonic() - saved_at > _SECONDS_BETWEEN_SAVES:
                self._write(unfinished, trainer.snapshot())
                saved_at = time.monotonic()

        try:
            trainer.train(key, on_epochs, resume, save_now_and_then)
            self._check_finite(index, trainer, unfinished)
            self._write(file, trainer.snapshot())
        except InterruptedRunError:
            self._write(unfinished, trainer.snapshot())
            raise
        unfinished.unlink(missing_ok=True)
        return initial, self._read(file).weights

    def _check_finite(
        self, index: int, trainer: NetworkTrainer, unfinished: pathlib.Path
    ) -> None:
        """Keeps a network that has diverged out of the buffer."""
        if all(np.isfinite(weight.numpy()).all() for weight in trainer.weights):
            return
        unfinished.unlink(missing_ok=True)
        raise InputError(
            f"network {index} of {self.path} has diverged: its weights are not finite. "
            "Match in another --network or --norm, or give a larger --pretrain_batch."
        )

    def _trainer_of_all(self) -> NetworkTrainer:
        if self._trainer is None:
            training = self._dataset.training
            self._trainer = NetworkTrainer(
                self._network,
                training.images,
                training.labels,
                self._dataset.normalisation,
                self._protocol,
            )
        return self._trainer

    def _write(self, file: pathlib.Path, state: TrainingState | None) -> None:
        if state is None:  # A signal before the first update: nothing to go on from.
            return
        buffer = io.BytesIO()
        # State, such as batch norm's, comes last: networks without any have none there.
        arrays = [*state.weights, *state.slots, *state.state]
        np.savez(buffer, np.array(state.updates), *arrays)
        atomic.write_bytes(file, buffer.getvalue())

    def _read(self, file: pathlib.Path) -> TrainingState:
        shapes = self._network.weight_shapes
        # No pickles: an expert is data. The archive has a checksum of each array.
        expected: dict[str, tuple[type, Sequence[int]]] = {"arr_0": (np.int64, ())}
        slots = optimiser_of(self._protocol).slot_shapes(shapes)
        kinds = [(np.float32, shape) for shape in [*shapes, *slots]]
        kinds += [
            (spec.dtype.as_numpy_dtype, tuple(spec.shape))
            for spec in self._network.state_specs
        ]
        expected |= {f"arr_{number}": kind for number, kind in enumerate(kinds, 1)}
        try:
            if not file.is_file():
                raise ValueError("no ordinary file")
            updates, *rest = read_npz(file, expected).values()
        except (OSError, ValueError) as error:
            raise InputError(
                f"{file} is damaged, or holds another network: remove it, and that "
                "expert is trained again."
            ) from error
        ends = len(shapes), len(shapes) + len(slots)
        parts = rest[: ends[0]], rest[ends[0] : ends[1]], rest[ends[1] :]
        return TrainingState(int(updates), *parts)


def _stack(networks: Iterable[list[np.ndarray]]) -> list[tf.Tensor]:
    return [tf.constant(np.stack(w)) for w in zip(*networks, strict=True)]
