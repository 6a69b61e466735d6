"""Trains networks of an architecture on images, by a run's protocol, and tests them."""

import functools
import gc
from collections.abc import Callable

import numpy as np

from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset, LabelledImages
from hdd_tf.errors import InputError
from hdd_tf.evaluate.scoring import Score, score_networks
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.registry import network_of_settings
from hdd_tf.training.network_trainer import NetworkTrainer
from hdd_tf.training.progress import epoch_bar
from hdd_tf.training.protocols import TrainingProtocol, evaluation_protocol


def ignore_network(trainer: NetworkTrainer, index: int, accuracy: float) -> None:
    """Looks at no network."""


class NetworkScorer:
    """Scores images by the networks that train on them.

    Networks of several architectures are trained in turn, and only one architecture is
    in memory beside the matched one.

    Args:
        config: num_eval, eval_networks, eval_epochs and what else the protocol takes.
        dataset: Held-out images and normalisation.
        network: The network of `config.network`, a function of its weights.

    Attributes:
        architectures: Names of those evaluated, at least one.

    Raises:
        InputError: a network of `config.eval_networks` cannot be built, or
            `config.eval_dsa` not read. Now, rather than after hours of distilling.
    """

    def __init__(
        self, config: Config, dataset: Dataset, network: FunctionalNetwork
    ) -> None:
        self.architectures = config.eval_networks or (config.network,)
        self._config = config
        self._dataset = dataset
        self._matched = self._network = network
        # Of one architecture at a time.
        self._architecture = ""
        self._trainers: dict[tuple, NetworkTrainer] = {}
        if config.num_eval:
            self.protocol()
            for name in self.architectures:
                self.build_network(name)

    def score(
        self,
        title: str,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        split: str = "test",
        epochs: int | None = None,
        network: str = "",
        augmented: bool = True,
        on_tested: Callable[[NetworkTrainer, int, float], None] = ignore_network,
    ) -> Score:
        """Trains `num_eval` fresh networks on images and tests them.

        Args:
            title: Of the progress bar.
            images: `[n, h, w, c]` uint8, or float32 on the 0-255 scale.
            labels: `[n]` integers.
            split: What they are tested on: `test` or `validation`.
            epochs: How long they train; by default as the flags say.
            network: Name of the architecture; empty: the first of those evaluated.
            augmented: Whether they see the protocol's augmentation and CutMix.
            on_tested: Called with what holds each network, its number and accuracy.

        Raises:
            InputError: there is no such split.
        """
        protocol = self.protocol(epochs)
        if not augmented:
            protocol = protocol.without_augmentation()
            title = f"{title} without augmentation"
        network = network or self.architectures[0]
        trainer = self._trainer(network, images, labels, protocol)
        if len(self.architectures) > 1:
            title = f"{title} {network}"
        total = protocol.epochs * self._config.num_eval
        with epoch_bar(title, total, self._config.progress) as bar:
            return score_networks(
                trainer,
                self._held_out(split),
                self._config.num_eval,
                self._config.seed,
                bar.update,
                functools.partial(on_tested, trainer),
            )

    def protocol(self, epochs: int | None = None) -> TrainingProtocol:
        """Returns how networks are trained; by default for as long as the flags say."""
        return evaluation_protocol(self._config, self._dataset.name, epochs)

    def build_network(self, name: str) -> FunctionalNetwork:
        """Returns the network of an architecture, as the settings say.

        Args:
            name: As `--eval_networks` has it; that of `config.network` is the matched
                one itself.

        Raises:
            InputError: it cannot be built.
        """
        if name == self._config.network:
            return self._matched
        dataset = self._dataset
        return network_of_settings(
            name, self._config, dataset.image_shape, dataset.num_classes
        )

    def _held_out(self, split: str) -> LabelledImages:
        if split == "test":
            return self._dataset.test
        if self._dataset.validation is None:
            raise InputError(
                "there is no validation split; set --validation_fraction above 0."
            )
        return self._dataset.validation

    def _trainer(
        self,
        name: str,
        images: np.ndarray,
        labels: np.ndarray,
        protocol: TrainingProtocol,
    ) -> NetworkTrainer:
        """Returns a trainer on the images; one trace serves all sets of one shape."""
        if name != self._architecture:
            self._trainers.clear()
            self._network = self._matched
            # Graphs and the functions that trace them hold each other.
            gc.collect()
            self._architecture = name
            self._network = self.build_network(name)
        kind = (images.shape, images.dtype, protocol)
        if kind in self._trainers:
            self._trainers[kind].replace_images(images, labels)
        else:
            self._trainers[kind] = NetworkTrainer(
                self._network,
                images,
                labels,
                self._dataset.normalisation,
                protocol,
            )
        return self._trainers[kind]
