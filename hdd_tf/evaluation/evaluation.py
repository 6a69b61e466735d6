"""Scores an exported set, and the baselines beside it, by a run's protocol."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hdd_tf.artifacts.sets.decoding import decode_set
from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset
from hdd_tf.errors import InputError
from hdd_tf.evaluation.dd_ranking_score import DISTILLED, measure_fair_score
from hdd_tf.evaluation.network_scorer import NetworkScorer, ignore_network
from hdd_tf.evaluation.scoring import Score, TrainedClassifier
from hdd_tf.methods.registry import WHOLE
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.protocols.published import protocol_name
from hdd_tf.selection.coresets import CoresetSelector
from hdd_tf.training.network_trainer import NetworkTrainer


class Evaluation:
    """Trains fresh networks on sets and tests them, as the settings say.

    Args:
        config: What `NetworkScorer` takes; for coresets, what `CoresetSelector` takes.
        dataset: Held-out images, normalisation, and the baselines' real images.
        network: The network of `config.network`, a function of its weights.
        coresets: Chooses the coresets among the baselines; None: one of its own.

    Attributes:
        scorer: Trains and tests the networks.
        coresets: Chooses the coresets among the baselines.
        classifier: What `result` trained on the distilled set: the first network of
            the first architecture evaluated; None before, and with --num_eval=0.

    Raises:
        InputError: as `NetworkScorer`; or fair scores are asked for by a protocol that
            has none.
    """

    def __init__(
        self,
        config: Config,
        dataset: Dataset,
        network: FunctionalNetwork,
        coresets: CoresetSelector | None = None,
    ) -> None:
        self._config = config
        self._dataset = dataset
        self.scorer = NetworkScorer(config, dataset, network)
        self._check_fair_score()
        self.coresets = coresets or CoresetSelector(config, dataset, network)
        self.classifier: TrainedClassifier | None = None

    def score_set(
        self,
        distilled_set: DistilledSet,
        split: str = "test",
        network: str = "",
        *,
        augmented: bool = True,
        on_tested: Callable[[NetworkTrainer, int, float], None] = ignore_network,
    ) -> Score:
        """Scores a distilled set as it was read from its files.

        Args:
            distilled_set: Images and labels, as stored or decoded.
            split: `test` or `validation`.
            network: Name of the architecture; empty: the first of those evaluated.
            augmented: Whether networks see the protocol's augmentation and CutMix.
            on_tested: Called with what holds each network, its number and accuracy.

        Raises:
            InputError: the set's images or classes are not the data set's, or it lacks
                the soft labels that the protocol asks for.
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
        return self.scorer.score(
            "evaluate",
            decoded.images,
            decoded.labels,
            split=split,
            network=network,
            augmented=augmented,
            carried=decoded,
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
            first, *others = self.scorer.architectures
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
            "protocol": self.describe_protocol(distilled_set),
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
        ipc, first = distilled_set.metadata["ipc"], self.scorer.architectures[0]
        augments = (
            self.scorer.protocol() != self.scorer.protocol().without_augmentation()
        )
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
            name: Key of `selection.coresets.SELECTIONS`.
            ipc: Images of each class; all of them where a class has fewer.
            augmented: Whether networks see the protocol's augmentation and CutMix.
        """
        chosen = self._dataset.training.take(self.coresets.select(name, ipc))
        # As floats, so that they share the distilled set's trace.
        images = chosen.images.astype(np.float32)
        return self.scorer.score(name, images, chosen.labels, augmented=augmented)

    def score_whole(self) -> Score:
        """Scores the whole training split, with `--whole_epochs`."""
        training = self._dataset.training
        return self.scorer.score(
            "whole set",
            training.images,
            training.labels,
            epochs=self._config.whole_epochs,
        )

    def describe_protocol(
        self, distilled_set: DistilledSet | None = None
    ) -> dict[str, Any]:
        """Returns how the accuracy is measured, for `result.json`.

        Args:
            distilled_set: The set that is scored; where it brings its own learning
                rate, that is told. None: the rate of the protocol.
        """
        protocol = self.scorer.protocol()
        described = protocol.describe()
        if protocol.learnt_rate:
            described["learning_rate"] = self.scorer.learning_rate(distilled_set)
        if protocol.labels != "hard":
            # Real images have no soft labels.
            described["baseline_labels"] = "hard"
        return {
            "name": protocol_name(self._config),
            "networks": self._config.num_eval,
            "baseline_network": self.scorer.architectures[0],
            "whole_epochs": self._config.whole_epochs,
            "split": "test",
            **described,
        }

    def _check_fair_score(self) -> None:
        """Refuses DD-Ranking's scores where no set can be seen without augmentation."""
        if self._config.fair_score and self.scorer.protocol().labels == "epochs":
            raise InputError(
                "--fair_score compares with training without augmentation, and soft "
                "labels of epochs are of augmented images: leave it out, or choose "
                "another --eval_protocol"
            )

    def _keep_first(self, trainer: NetworkTrainer, index: int, accuracy: float) -> None:
        """Keeps the first network trained on the distilled set."""
        if index == 0:
            self.classifier = TrainedClassifier(
                self.scorer.architectures[0],
                [weight.numpy() for weight in trainer.weights],
                [tensor.numpy() for tensor in trainer.state],
                accuracy,
            )

    def _score_baseline(self, name: str, ipc: int, augmented: bool = True) -> Score:
        if name == WHOLE:
            return self.score_whole()
        return self.score_coreset(name, ipc, augmented=augmented)
