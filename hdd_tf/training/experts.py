"""Experts: networks trained on the real images beforehand, stored for many runs.

Expert k depends only on k and on the settings in its buffer's `kind.json`. The name of
the buffer's directory ends with a digest of these settings. So the first run that needs
an expert trains it, and other runs read it. A run that needs the expert during the
training waits. An interrupted training resumes where it stopped.
"""

import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from hdd_tf.data.dataset import Dataset
from hdd_tf.errors import InputError, InterruptedRunError
from hdd_tf.files import atomic
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.signals import interruptions_named
from hdd_tf.training.expert_files import ExpertFiles
from hdd_tf.training.network_files import KIND_FILE, NetworkFiles, kind_of, place_of
from hdd_tf.training.network_trainer import NetworkTrainer
from hdd_tf.training.training_variables import OwnTraining, Training, TrainingState

_REMEDY = "Match in another --network or --norm, or give a larger --pretrain_batch."


class Experts(NamedTuple):
    """Trained networks, and their initial weights.

    Attributes:
        initial: Initial weights, float32 tensors `[count, ...]` of `weight_shapes`;
            empty if they were not asked for.
        trained: Trained weights, float32 tensors `[count, ...]` of `weight_shapes`.
        state: State of the trained networks, such as batch norm's moving statistics,
            tensors `[count, ...]` of `state_specs`; empty for networks without state.
    """

    initial: list[tf.Tensor]
    trained: list[tf.Tensor]
    state: Sequence[tf.Tensor] = ()

    @property
    def number(self) -> int:
        """Number of experts."""
        return self.trained[0].shape[0]


class ExpertBuffer(ExpertFiles):
    """An expert buffer: a directory of experts of one kind.

    Args:
        directory: Directory of the buffers of all kinds.
        network: The network, a function of its weights.
        network_name: Name of the network, which with the shapes of its weights
            identifies the architecture.
        dataset: Data set whose training split the experts learn.
        protocol: Training protocol of the experts.
        seed: Seed of the experts.
        precision: Precision that `network` computes in.
        label_names: Names of the classes in the order of the labels, for experts whose
            labels are used elsewhere; empty if their order does not matter.
        own: Training of a network that is no classifier; None for `NetworkTrainer`.
        kept: What a buffer keeps beside the trained weights, for `kind.json`; empty
            for nothing.

    Attributes:
        network: The network.
    """

    def __init__(
        self,
        directory: str | pathlib.Path,
        network: FunctionalNetwork,
        network_name: str,
        dataset: Dataset,
        protocol: TrainingProtocol,
        seed: int,
        precision: str = "float32",
        *,
        label_names: Sequence[str] = (),
        own: OwnTraining | None = None,
        kept: str = "",
    ) -> None:
        self.network = network
        self._own = own
        self._dataset = dataset
        self._seed = seed
        more = dict(own.kind) if own else {}
        if kept:
            more["kept"] = kept
        self._kind = kind_of(
            network, network_name, dataset, protocol, seed, precision, label_names, more
        )
        path = place_of(directory, self._kind)
        super().__init__(path, NetworkFiles(network, protocol), protocol)
        self._trainer: Training | None = None

    def take(
        self,
        count: int,
        on_epochs: Callable[[int], object] = lambda epochs: None,
        with_initial: bool = True,
    ) -> Experts:
        """Returns the first experts, after training those that are missing.

        Args:
            count: Number of experts, >= 1.
            on_epochs: Function of the number of epochs that were just trained or found
                trained; it is called repeatedly.
            with_initial: True to return the initial weights too.

        Returns:
            The experts 0, ..., count - 1.

        Raises:
            InputError: a file in the directory is damaged, or a network diverged.
            InterruptedRunError: a signal stopped the training, which is saved.
            OSError: the directory cannot be written.
        """
        with self._held(count):
            ends = [
                self._expert(index, on_epochs)._replace(slots=[])
                for index in range(count)
            ]
        self._trainer = None  # Frees its copy of the images.
        # The key determines the initial weights, so no file stores them.
        initial = [self.initial(i) for i in range(count)] if with_initial else []
        return Experts(
            _stack(initial),
            _stack([end.weights for end in ends]),
            _stack([end.state for end in ends]),
        )

    def complete(
        self, count: int, on_epochs: Callable[[int], object] = lambda epochs: None
    ) -> None:
        """Trains those of the first experts that are missing, and reads no other.

        Args:
            count: As in `take`.
            on_epochs: As in `take`.

        Raises:
            InputError: As in `take`, of the experts that are trained.
            InterruptedRunError: a signal stopped the training, which is saved.
            OSError: the directory cannot be written.
        """
        with self._held(count):
            for index in range(count):
                if self._file(index).exists():
                    on_epochs(self.protocol.epochs)
                else:
                    self._expert(index, on_epochs)
        self._trainer = None

    def untrained(self, count: int, with_initial: bool = True) -> Experts:
        """Returns `count` untrained experts: the trained weights are the initial ones.

        A dry run uses them in place of experts.

        Args:
            count: Number of experts, >= 1.
            with_initial: As in `take`.
        """
        weights, state = zip(*(self._start(i) for i in range(count)), strict=True)
        trained = _stack(weights)
        return Experts(trained if with_initial else [], trained, _stack(state))

    def initial(self, index: int) -> list[tf.Tensor]:
        """Returns the initial weights of an expert."""
        return self._start(index)[0]

    def _start(self, index: int) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """Returns the initial weights and the initial state of one expert."""
        return NetworkTrainer.initial_variables(self.network, self._key(index))

    def _key(self, index: int) -> tf.Tensor:
        return derive_key(self._seed, Purpose.EXPERT, index)

    def _expert(self, index: int, on_epochs: Callable[[int], object]) -> TrainingState:
        """Returns one expert at the end of its training."""
        file = self._file(index)
        if file.exists():
            on_epochs(self.protocol.epochs)
            return self._files.read(file)
        unfinished = self._unfinished(index)
        resume = self._files.read(unfinished) if unfinished.exists() else None
        resume = self._resumable(index, resume)
        atomic.write_json(self.path / KIND_FILE, self._kind)
        trainer = self._trainer_of_all()
        if resume:
            on_epochs(resume.updates // trainer.updates_per_epoch)
        save_now_and_then = self._saver(unfinished, trainer)
        try:
            with interruptions_named():
                self._train(index, trainer, on_epochs, resume, save_now_and_then)
            self._check_finite(index, trainer, unfinished)
            self._finish(index)
            self._files.write(file, trainer.snapshot())
        except InterruptedRunError:
            self._files.write(unfinished, trainer.snapshot())
            raise
        unfinished.unlink(missing_ok=True)
        return self._files.read(file)

    def _resumable(
        self, index: int, resume: TrainingState | None
    ) -> TrainingState | None:
        """Returns where an expert's training goes on; None to start afresh."""
        del index
        return resume

    def _train(
        self,
        index: int,
        trainer: Training,
        on_epochs: Callable[[int], object],
        resume: TrainingState | None,
        on_call: Callable[[], None],
    ) -> None:
        """Trains one expert, see `Training.train`."""
        trainer.train(self._key(index), on_epochs, resume, on_call)

    def _finish(self, index: int) -> None:
        """Completes what is kept of an expert, before its file says that it is done."""

    def _check_finite(
        self, index: int, trainer: Training, unfinished: pathlib.Path
    ) -> None:
        """Raises InputError if a network has diverged; it does not enter the buffer."""
        if all(np.isfinite(weight.numpy()).all() for weight in trainer.weights):
            return
        unfinished.unlink(missing_ok=True)
        remedy = self._own.remedy if self._own else _REMEDY
        raise InputError(
            f"network {index} of {self.path} has diverged: its weights are not finite. "
            f"{remedy}"
        )

    def _trainer_of_all(self) -> Training:
        if self._trainer is None and self._own is not None:
            self._trainer = self._own.start()
        if self._trainer is None:
            training = self._dataset.training
            self._trainer = NetworkTrainer(
                self.network,
                training.images,
                training.labels,
                self._dataset.normalisation,
                self.protocol,
            )
        return self._trainer


def _stack(networks: Sequence[Sequence[Any]]) -> list[tf.Tensor]:
    return [tf.constant(np.stack(w)) for w in zip(*networks, strict=True)]
