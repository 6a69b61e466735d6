"""Trains networks of an architecture on images, by a run's protocol, and tests them."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from hdd_tf.artifacts.sets.set_content import DistilledSet
from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset, LabelledImages
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.data.stored_images import ImageRows
from hdd_tf.distributed.precision import computing_in, resolve
from hdd_tf.errors import InputError
from hdd_tf.evaluation.scorers.kept_trainers import KeptTrainers
from hdd_tf.evaluation.scorers.scoring import Score, score_networks
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.registry import network_of_settings
from hdd_tf.progress import epoch_bar
from hdd_tf.protocols.label_sources import LabelSources
from hdd_tf.protocols.published import evaluation_protocol
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.training.network_trainer import NetworkTrainer


def ignore_network(trainer: NetworkTrainer, index: int, accuracy: float) -> None:
    """Does nothing with a tested network."""


class NetworkScorer:
    """Scores images by the networks that train on them.

    Architectures take turns: besides the matched network, only one architecture is in
    memory.

    The constructor checks the settings, because an error after hours of distillation
    would be too late.

    Args:
        config: Settings `num_eval`, `eval_networks`, `eval_epochs` and the protocol's.
        dataset: Data set with the held-out images and the normalisation.
        network: The network of `config.network`, a function of its weights.
        stored_labels: Whether networks learn the soft labels that sets carry, whatever
            labels the protocol has.

    Attributes:
        architectures: Names of the architectures evaluated, at least one.
        trainers: The trainers in memory.

    Raises:
        InputError: a network of `config.eval_networks` cannot be built, or
            `config.eval_dsa` is invalid, or the protocol's cells do not divide the
            images.
    """

    def __init__(
        self,
        config: Config,
        dataset: Dataset,
        network: FunctionalNetwork,
        stored_labels: bool = False,
    ) -> None:
        self._precision = resolve("eval_precision", config.eval_precision)
        self._stored_labels = stored_labels
        self.architectures = config.eval_networks or (config.network,)
        self._config = config
        self._dataset = dataset
        self._matched = network
        self.trainers = KeptTrainers(self.scored_network)
        if config.num_eval:
            self._check_cells()
            for name in self.architectures:
                self.build_network(name)

    def score(
        self,
        title: str,
        images: ImageRows,
        labels: np.ndarray,
        *,
        split: str = "test",
        epochs: int | None = None,
        network: str = "",
        augmented: bool = True,
        carried: DistilledSet | None = None,
        hard_labels: bool = False,
        on_tested: Callable[[NetworkTrainer, int, float], None] = ignore_network,
        first: int = 0,
    ) -> Score:
        """Trains `num_eval` fresh networks on images and tests them.

        Args:
            title: Title of the progress bar.
            images: `[n, h, w, c]` uint8, or float32 on the 0-255 scale.
            labels: `[n]` integers.
            split: Split that the networks are tested on, `test` or `validation`.
            epochs: Epochs of each training; None takes the number from the flags.
            network: Name of the architecture; empty selects the first one evaluated.
            augmented: True if training uses the protocol's augmentation and CutMix.
            carried: The set that the images belong to. Its soft labels, teacher, learnt
                rate and whitening are used. None means real images, whose classes the
                networks learn.
            hard_labels: True if networks learn the classes, whatever labels the
                protocol has.
            on_tested: Callback for each tested network. It receives the trainer that
                holds the network, the network's number and its accuracy in percent.
            first: Number of the first network; those before it are left out.

        Raises:
            InputError: the split does not exist, or the set lacks the labels that the
                protocol asks for.
        """
        protocol = self.protocol(epochs)
        if carried is None or hard_labels:
            protocol = protocol.with_hard_labels()
        if not augmented:
            protocol = protocol.without_augmentation()
            title = f"{title} without augmentation"
        network = network or self.architectures[0]
        sources = LabelSources.of_set(carried, protocol) if carried else LabelSources()
        trainer = self.trainers.trainer(
            network, images, labels, self.normalisation(carried), protocol, sources
        )
        trainer.set_learning_rate(self.learning_rate(carried))
        if len(self.architectures) > 1:
            title = f"{title} {network}"
        total = protocol.epochs * (self._config.num_eval - first)
        with (
            computing_in(self._precision),
            epoch_bar(title, total, self._config.progress) as bar,
        ):
            return score_networks(
                trainer,
                self._held_out(split),
                self._config.num_eval,
                self._config.seed,
                self._dataset.num_classes,
                bar.update,
                functools.partial(on_tested, trainer),
                first,
            )

    def protocol(self, epochs: int | None = None) -> TrainingProtocol:
        """Returns the protocol of the training.

        Args:
            epochs: Epochs of each training; None takes the number from the flags.
        """
        protocol = evaluation_protocol(self._config, self._dataset.name, epochs)
        return protocol.with_stored_labels() if self._stored_labels else protocol

    def learning_rate(self, carried: DistilledSet | None) -> float:
        """Returns the learning rate of networks on a set, before any schedule.

        Args:
            carried: The set. Its own rate is used if the protocol says so. None means
                real images.
        """
        protocol = self.protocol()
        if protocol.learnt_rate and carried and carried.student_rate is not None:
            return carried.student_rate
        return protocol.learning_rate

    def normalisation(self, carried: DistilledSet | None) -> Normalisation:
        """Returns the normalisation of images, with a set's own whitening if any.

        Args:
            carried: The set. None means real images.
        """
        normalisation = self._dataset.normalisation
        own = None if carried is None else carried.whitening
        # A whitening read from files is another object with the same values.
        if own is None or own.equals(normalisation.whitening):
            return normalisation
        return dataclasses.replace(normalisation, whitening=own)

    def build_network(self, name: str) -> FunctionalNetwork:
        """Returns the network of an architecture, as the settings say.

        Args:
            name: Name as in `--eval_networks`. The name `config.network` returns the
                matched network itself.

        Raises:
            InputError: the network cannot be built.
        """
        if name == self._config.network:
            return self._matched
        dataset = self._dataset
        return network_of_settings(
            name, self._config, dataset.image_shape, dataset.num_classes
        )

    def scored_network(self, name: str) -> FunctionalNetwork:
        """Returns the network of `build_network` in the precision of evaluation."""
        return self.build_network(name).in_precision(self._precision)

    def _check_cells(self) -> None:
        cells, (height, width, _) = (
            self.protocol().shuffled_cells,
            self._dataset.image_shape,
        )
        if height % cells or width % cells:
            raise InputError(
                f"networks train on images of {cells}x{cells} cells, which do not "
                f"divide {height}x{width} images: give another --rded_factor, or "
                "another --eval_protocol"
            )

    def _held_out(self, split: str) -> LabelledImages:
        if split == "test":
            return self._dataset.test
        if self._dataset.validation is None:
            raise InputError(
                "there is no validation split; set --validation_fraction above 0."
            )
        return self._dataset.validation
