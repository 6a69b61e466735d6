"""Scores an exported set and its baselines by a run's protocol."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hdd_tf.artifacts.sets.decoding import decode_set
from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.artifacts.sets.set_match import check_matches
from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset
from hdd_tf.errors import InputError
from hdd_tf.evaluation.dd_ranking_score import DISTILLED, measure_fair_score
from hdd_tf.evaluation.known_scores import KnownScores
from hdd_tf.evaluation.network_scorer import NetworkScorer, ignore_network
from hdd_tf.evaluation.scoring import Score, TrainedClassifier
from hdd_tf.methods.registry import BESIDE_TITLES, HARD_LABELS, WHOLE
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.protocols.published import protocol_name, sets_beside
from hdd_tf.selection.coresets import CoresetSelector
from hdd_tf.training.network_trainer import NetworkTrainer
from hdd_tf.training.taught_sets import learns_of_teacher, set_beside, taught_by

OnTested = Callable[[NetworkTrainer, int, float], None]


class Evaluation:
    """Trains fresh networks on sets and tests them, as the settings say.

    Args:
        config: Settings of `NetworkScorer` and, for coresets, of `CoresetSelector`.
        dataset: Data set with the held-out images, the normalisation and the real
            images of the baselines.
        network: The network of `config.network`, a function of its weights.
        coresets: Selector of the coresets among the baselines; None makes a new one.
        stored_labels: Whether networks learn the soft labels that sets carry, whatever
            labels the protocol has.

    Attributes:
        dataset: The data set.
        scorer: Scorer that trains and tests the networks.
        coresets: Selector of the coresets among the baselines.
        classifier: The first network of the first architecture evaluated, trained by
            `result` on the distilled set. None before `result`, and with --num_eval=0.

    Raises:
        InputError: `NetworkScorer` raises it, or `config.fair_score` is set and the
            protocol has no training without augmentation.
    """

    def __init__(
        self,
        config: Config,
        dataset: Dataset,
        network: FunctionalNetwork,
        coresets: CoresetSelector | None = None,
        stored_labels: bool = False,
    ) -> None:
        self._config = config
        self.dataset = dataset
        self.scorer = NetworkScorer(config, dataset, network, stored_labels)
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
        hard_labels: bool = False,
        on_tested: OnTested = ignore_network,
        first: int = 0,
    ) -> Score:
        """Scores a distilled set that was read from its files.

        Args:
            distilled_set: Images and labels, stored or decoded.
            split: `test` or `validation`.
            network: Name of the architecture; empty selects the first one evaluated.
            augmented: True if training uses the protocol's augmentation and CutMix.
            hard_labels: True if networks learn the set's classes, whatever labels the
                protocol has.
            on_tested: Callback for each tested network. It receives the trainer that
                holds the network, the network's number and its accuracy in percent.
            first: Number of the first network; those before it are left out.

        Raises:
            InputError: the set's images or classes are not the data set's, or it lacks
                the soft labels that the protocol asks for.
        """
        check_matches(distilled_set, self.dataset)
        decoded = decode_set(distilled_set)
        return self.scorer.score(
            "hard labels" if hard_labels else "evaluate",
            decoded.images,
            decoded.labels,
            split=split,
            network=network,
            augmented=augmented,
            carried=decoded,
            hard_labels=hard_labels,
            on_tested=on_tested,
            first=first,
        )

    def train_classifier(self, distilled_set: DistilledSet) -> Score:
        """Scores a set by the first architecture, and keeps its first network.

        Args:
            distilled_set: Images and labels that were read from their files.

        Raises:
            InputError: see `score_set`.
        """
        return self.score_set(distilled_set, on_tested=self._keep_first)

    def result(
        self, distilled_set: DistilledSet, known: KnownScores | None = None
    ) -> dict[str, Any]:
        """Scores a set and the requested baselines on the test split.

        Args:
            distilled_set: Images and labels that were read from their files.
            known: Scores of this set by this protocol and seed, which are not measured
                again; None if there are none. It notes whether networks were trained.

        Returns:
            The contents of `result.json` without `seconds`.

        Raises:
            InputError: the set does not match the data set or the protocol; see
                `score_set`.
        """
        config, metadata = self._config, distilled_set.metadata
        accuracy, baselines, extra = {}, {}, {}
        known = known or KnownScores()

        def of_set(
            network: str, on_tested: OnTested = ignore_network
        ) -> dict[str, Any]:
            return known.complete(
                known.accuracy.get(network),
                config.num_eval,
                lambda start: self.score_set(
                    distilled_set,
                    network=network,
                    on_tested=on_tested,
                    first=start,
                ).to_json(),
            )

        if config.num_eval:
            first, *others = self.scorer.architectures
            accuracy[first] = of_set(first, self._keep_first)
            for name in self._names_beside():
                baselines[name] = known.complete(
                    known.baselines.get(name),
                    config.num_eval,
                    functools.partial(self._score_beside, name, distilled_set),
                )
            # Scored before the others: the first architecture is still in memory.
            if config.fair_score:
                known.trained |= known.fair_score is None
                extra["fair_score"] = known.fair_score or self.fair_score(
                    distilled_set, accuracy, baselines
                )
            accuracy |= {name: of_set(name) for name in others}
        return {
            # Facts of the set: the settings of this evaluation may differ.
            "dataset": metadata["dataset"],
            "ipc": metadata["ipc"],
            "objective": metadata["objective"],
            "geometry": metadata["geometry"],
            "seed": metadata["source"].get("seed", config.seed),
            "iterations": metadata.get("iteration", config.iterations),
            "evaluation_seed": config.seed,
            "accuracy": accuracy,
            "baselines": baselines,
            "label_names": [str(name) for name in metadata["label_names"]],
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
        """Returns the DD-Ranking scores of a set, by this run's protocol.

        Args:
            distilled_set: The set to score.
            accuracy: Known scores of the set by architecture, in the form of
                result.json. A known score is not measured again.
            baselines: Known scores of the baselines by name, in the form of
                result.json. A known score is not measured again.

        Returns:
            The entry `fair_score` of `result.json`; see `measure_fair_score`.
        """
        first = self.scorer.architectures[0]
        augments = (
            self.scorer.protocol() != self.scorer.protocol().without_augmentation()
        )
        known = {(name, True): score for name, score in baselines.items()}
        if first in accuracy:
            known[DISTILLED, True] = accuracy[first]

        def score_of(name: str, augmented: bool) -> dict[str, Any]:
            # A protocol without augmentation trains the same networks either way.
            key = name, augmented or not augments
            if key not in known:
                score = (
                    self.score_set(distilled_set, network=first, augmented=augmented)
                    if name == DISTILLED
                    else self._beside(name, distilled_set, augmented)
                )
                known[key] = score.to_json()
            return known[key]

        return measure_fair_score(
            score_of,
            first,
            self._config.whole_epochs,
            soft=self.scorer.protocol().asks_teacher,
        )

    def score_coreset(
        self,
        name: str,
        ipc: int,
        *,
        augmented: bool = True,
        first: int = 0,
        beside: DistilledSet | None = None,
    ) -> Score:
        """Scores a coreset of `ipc` real images of each class.

        Args:
            name: Key of `selection.coresets.SELECTIONS`.
            ipc: Images of each class; a class with fewer images gives all of them.
            augmented: True if training uses the protocol's augmentation and CutMix.
            first: Number of the first network; those before it are left out.
            beside: The set that the coreset is a baseline of. If its evaluation asks
                its teacher, or learns stored views that its teacher labelled, the same
                teacher labels the real images. None: networks learn the classes of real
                images.
        """
        chosen = self.dataset.training.take(self.coresets.select(name, ipc))
        # Floats share the trace of the distilled set.
        images = np.asarray(chosen.images, np.float32)
        protocol, carried = self.scorer.protocol(), None
        if beside is not None and learns_of_teacher(protocol, beside):
            carried = taught_by(
                beside,
                images,
                chosen.labels,
                protocol,
                self.scorer.normalisation(beside),
                self._config,
            )
        return self.scorer.score(
            name,
            images,
            chosen.labels,
            augmented=augmented,
            carried=carried,
            first=first,
        )

    def score_whole(self, first: int = 0) -> Score:
        """Scores the whole training split, with `--whole_epochs`.

        Args:
            first: Number of the first network; those before it are left out.
        """
        training = self.dataset.training
        return self.scorer.score(
            "whole set",
            training.images,
            training.labels,
            epochs=self._config.whole_epochs,
            first=first,
        )

    def describe_protocol(
        self, distilled_set: DistilledSet | None = None
    ) -> dict[str, Any]:
        """Describes the measurement of the accuracy, for `result.json`.

        Args:
            distilled_set: The set that is scored. If the set has a learning rate of
                its own, the description has that rate. None gives the protocol's rate.
        """
        protocol = self.scorer.protocol()
        described = protocol.describe()
        if protocol.learnt_rate:
            described["learning_rate"] = self.scorer.learning_rate(distilled_set)
        if protocol.labels != "hard":
            # A teacher labels any image; other soft labels are of the set's own. The
            # whole training split always has its classes.
            taught = learns_of_teacher(protocol, distilled_set)
            described["baseline_labels"] = "teacher" if taught else "hard"
        return {
            "name": protocol_name(self._config),
            "networks": self._config.num_eval,
            "baseline_network": self.scorer.architectures[0],
            "whole_epochs": self._config.whole_epochs,
            "split": "test",
            **described,
        }

    def _names_beside(self) -> list[str]:
        """Returns the names of the sets that are scored beside a set.

        Those of real images, which a method may always have there, are left out where
        a Python program gives test images alone.
        """
        names = sets_beside(self._config)
        if len(self.dataset.training.labels):
            return list(names)
        return [name for name in names if name in (HARD_LABELS, *BESIDE_TITLES)]

    def _check_fair_score(self) -> None:
        """Raises `InputError` if DD-Ranking scores do not exist for the protocol."""
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

    def _score_beside(
        self, name: str, distilled_set: DistilledSet, first: int
    ) -> dict[str, Any]:
        return self._beside(name, distilled_set, first=first).to_json()

    def _beside(
        self,
        name: str,
        distilled_set: DistilledSet,
        augmented: bool = True,
        first: int = 0,
    ) -> Score:
        """Scores one of `sets_beside`."""
        if name == WHOLE:
            return self.score_whole(first)
        if name in BESIDE_TITLES:
            return self.score_set(
                set_beside(distilled_set, name), augmented=augmented, first=first
            )
        if name == HARD_LABELS:
            return self.score_set(
                distilled_set, augmented=augmented, hard_labels=True, first=first
            )
        return self.score_coreset(
            name,
            distilled_set.metadata["ipc"],
            augmented=augmented,
            first=first,
            beside=distilled_set,
        )
