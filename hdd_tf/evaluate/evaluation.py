"""Scores an exported set, and the baselines beside it, by a run's protocol."""

import dataclasses
import functools
import gc
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hdd_tf.artifacts.decoding import decode_set
from hdd_tf.artifacts.distilled_set import DistilledSet
from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset, LabelledImages
from hdd_tf.errors import InputError
from hdd_tf.evaluate.coresets.selection import CoresetSelector
from hdd_tf.evaluate.fair_score import DISTILLED, WHOLE, measure_fair_score
from hdd_tf.evaluate.scoring import Score, TrainedClassifier, score_networks
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.networks.registry import network_of_settings
from hdd_tf.training.network_trainer import NetworkTrainer
from hdd_tf.training.progress import epoch_bar
from hdd_tf.training.protocols import (
    TrainingProtocol,
    evaluation_protocol,
    protocol_name,
)


def _ignore(trainer: NetworkTrainer, index: int, accuracy: float) -> None:
    """Looks at no network."""


class Evaluation:
    """Trains fresh networks on sets and tests them, as the settings say.

    Networks of several architectures are evaluated in turn, and only one architecture
    is in memory beside the matched one.

    Args:
        config: num_eval, eval_networks, eval_epochs and what else the protocol takes;
            for coresets, what `CoresetSelector` takes.
        dataset: Held-out images, normalisation, and the baselines' real images.
        network: The network of `config.network`, a function of its weights.

    Attributes:
        coresets: Chooses the coresets among the baselines.
        classifier: What `result` trained on the distilled set: the first network of
            the first architecture evaluated; None before, and with --num_eval=0.

    Raises:
        InputError: a network of `config.eval_networks` cannot be built, or
            `config.eval_dsa` not read. Now, rather than after hours of distilling.
    """

    def __init__(
        self, config: Config, dataset: Dataset, network: FunctionalNetwork
    ) -> None:
        self._config = config
        self._dataset = dataset
        self._matched = self._network = network
        self._names = config.eval_networks or (config.network,)
        # Of one architecture at a time.
        self._architecture = ""
        self.coresets = CoresetSelector(config, dataset, network)
        self.classifier: TrainedClassifier | None = None
        self._trainers: dict[tuple, NetworkTrainer] = {}
        if config.num_eval:
            self.protocol()
            for name in self._names:
                self.build_network(name)

    def score_set(
        self,
        distilled_set: DistilledSet,
        split: str = "test",
        network: str = "",
        *,
        augmented: bool = True,
        on_tested: Callable[[NetworkTrainer, int, float], None] = _ignore,
    ) -> Score:
        """Scores a distilled set as it was read from its files.

        Args:
            distilled_set: Images and labels, as stored or decoded.
            split: `test` or `validation`.
            network: Name of the architecture; empty: the first of those evaluated.
            augmented: Whether networks see the protocol's augmentation and CutMix.
            on_tested: Called with what holds each network, its number and accuracy.

        Raises:
            InputError: the set's images or classes are not the data set's.
        """
        shape = tuple(distilled_set.images.shape[1:])
        names = len(distilled_set.metadata["label_names"])
        if (shape, names) != (self._dataset.image_shape, self._dataset.num_classes):
            raise InputError(
                f"the set holds {names} classes of {shape} images, but "
                f"--dataset={self._dataset.name} has {self._dataset.num_classes} of "
                f"{self._dataset.image_shape}; name the data set it was distilled from."
            )
        decoded = decode_set(distilled_set)
        return self._score(
            "evaluate",
            decoded.images,
            decoded.labels,
            split=split,
            network=network,
            augmented=augmented,
            on_tested=on_tested,
        )

    def result(self, distilled_set: DistilledSet) -> dict[str, Any]:
        """Scores a set and the baselines asked for, on the test split.

        Args:
            distilled_set: Images and labels, as they were read from their files.

        Returns:
            The contents of `result.json` but for `seconds`.

        Raises:
            InputError: as `score_set`.
        """
        config, metadata = self._config, distilled_set.metadata
        accuracy, baselines, extra = {}, {}, {}
        if config.num_eval:
            first, *others = self._names
            score = self.score_set(
                distilled_set, network=first, on_tested=self._keep_first
            )
            accuracy[first] = score.to_json()
            for name in config.baselines:
                baselines[name] = self._score_baseline(name, metadata["ipc"]).to_json()
            # While the first architecture is in memory.
            if config.fair_score:
                extra["fair_score"] = self.fair_score(
                    distilled_set, accuracy, baselines
                )
            for name in others:
                accuracy[name] = self.score_set(distilled_set, network=name).to_json()
        return {
            # Facts of the set, whatever the settings of this evaluation.
            "dataset": metadata["dataset"],
            "ipc": metadata["ipc"],
            "objective": metadata["objective"],
            "geometry": metadata["geometry"],
            "seed": metadata["source"].get("seed", config.seed),
            "iterations": metadata.get("iteration", config.iterations),
            "evaluation_seed": config.seed,
            "accuracy": accuracy,
            "baselines": baselines,
            "selected": metadata.get("selected", "last iteration"),
            "protocol": self.describe_protocol(),
            **extra,
        }

    def fair_score(
        self,
        distilled_set: DistilledSet,
        accuracy: Mapping[str, dict[str, Any]],
        baselines: Mapping[str, dict[str, Any]],
    ) -> dict[str, Any]:
        """Returns DD-Ranking's scores of a set, by this run's protocol.

        Args:
            distilled_set: The set.
            accuracy: Its scores so far, as result.json has them, by architecture.
            baselines: Those of baselines. What is here is not scored again.

        Returns:
            The entry `fair_score` of `result.json`; see `fair_score.py`.
        """
        ipc, first = distilled_set.metadata["ipc"], self._names[0]
        augments = self.protocol() != self.protocol().without_augmentation()
        known = {(name, True): score for name, score in baselines.items()}
        if first in accuracy:
            known[DISTILLED, True] = accuracy[first]

        def score_of(name: str, augmented: bool) -> dict[str, Any]:
            # Where there is nothing to leave out, the networks are the same ones.
            key = name, augmented or not augments
            if key not in known:
                score = (
                    self.score_set(distilled_set, network=first, augmented=augmented)
                    if name == DISTILLED
                    else self._score_baseline(name, ipc, augmented)
                )
                known[key] = score.to_json()
            return known[key]

        return measure_fair_score(score_of, first, self._config.whole_epochs)

    def score_coreset(self, name: str, ipc: int, *, augmented: bool = True) -> Score:
        """Scores a coreset of `ipc` real images of each class.

        Args:
            name: Key of `coresets.selection.SELECTIONS`.
            ipc: Images of each class; all of them where a class has fewer.
            augmented: Whether networks see the protocol's augmentation and CutMix.
        """
        chosen = self._dataset.training.take(self.coresets.select(name, ipc))
        # As floats, so that they share the distilled set's trace.
        images = chosen.images.astype(np.float32)
        return self._score(name, images, chosen.labels, augmented=augmented)

    def score_whole(self) -> Score:
        """Scores the whole training split, with `--whole_epochs`."""
        training = self._dataset.training
        return self._score(
            "whole set",
            training.images,
            training.labels,
            epochs=self._config.whole_epochs,
        )

    def protocol(self, epochs: int | None = None) -> TrainingProtocol:
        """Returns how networks are trained; by default for as long as the flags say."""
        return evaluation_protocol(self._config, self._dataset.name, epochs)

    def describe_protocol(self) -> dict[str, Any]:
        """Returns how the accuracy is measured, for `result.json`."""
        protocol = dataclasses.asdict(self.protocol())
        return {
            "name": protocol_name(self._config),
            "networks": self._config.num_eval,
            "baseline_network": self._names[0],
            "whole_epochs": self._config.whole_epochs,
            "split": "test",
            **protocol,
        }

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

    def _keep_first(self, trainer: NetworkTrainer, index: int, accuracy: float) -> None:
        """Keeps the first network trained on the distilled set."""
        if index == 0:
            self.classifier = TrainedClassifier(
                self._names[0],
                [weight.numpy() for weight in trainer.weights],
                [tensor.numpy() for tensor in trainer.state],
                accuracy,
            )

    def _score_baseline(self, name: str, ipc: int, augmented: bool = True) -> Score:
        if name == WHOLE:
            return self.score_whole()
        return self.score_coreset(name, ipc, augmented=augmented)

    def _held_out(self, split: str) -> LabelledImages:
        if split == "test":
            return self._dataset.test
        if self._dataset.validation is None:
            raise InputError(
                "there is no validation split; set --validation_fraction above 0."
            )
        return self._dataset.validation

    def _score(
        self,
        title: str,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        split: str = "test",
        epochs: int | None = None,
        network: str = "",
        augmented: bool = True,
        on_tested: Callable[[NetworkTrainer, int, float], None] = _ignore,
    ) -> Score:
        protocol = self.protocol(epochs)
        if not augmented:
            protocol = protocol.without_augmentation()
            title = f"{title} without augmentation"
        network = network or self._names[0]
        trainer = self._trainer(network, images, labels, protocol)
        if len(self._names) > 1:
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
                self._dataset.mean,
                self._dataset.std,
                protocol,
            )
        return self._trainers[kind]
