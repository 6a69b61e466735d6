"""Scores an exported set and its baselines by a run's protocol."""

import functools
from collections.abc import Mapping
from typing import Any

from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset
from hdd_tf.errors import InputError
from hdd_tf.evaluation.dd_ranking_score import DISTILLED, measure_fair_score
from hdd_tf.evaluation.known_scores import KnownScores
from hdd_tf.evaluation.scorers.network_scorer import ignore_network
from hdd_tf.evaluation.scorers.scoring import Score, TrainedClassifier
from hdd_tf.evaluation.scorers.set_scorer import OnTested, SetScorer
from hdd_tf.methods.registry import BESIDE_TITLES, HARD_LABELS
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.protocols.published import protocol_name, sets_beside
from hdd_tf.selection.coresets import CoresetSelector
from hdd_tf.training.network_trainer import NetworkTrainer
from hdd_tf.training.taught_sets import learns_of_teacher


class Evaluation(SetScorer):
    """Scores a set, all that is asked for beside it, and says by which protocol.

    Args:
        config: Settings of `SetScorer` and of the result.
        dataset: See `SetScorer`, as for the other arguments.
        network: The network of `config.network`, a function of its weights.
        coresets: Selector of the coresets among the baselines; None makes a new one.
        stored_labels: Whether networks learn the soft labels that sets carry.

    Attributes:
        classifier: The first network of the first architecture evaluated, trained by
            `result` on the distilled set. None before `result`, and with --num_eval=0.

    Raises:
        InputError: `SetScorer` raises it, or `config.fair_score` is set and the
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
        super().__init__(config, dataset, network, coresets, stored_labels)
        self._check_fair_score()
        self.classifier: TrainedClassifier | None = None

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
                    else self.score_beside(name, distilled_set, augmented)
                )
                known[key] = score.to_json()
            return known[key]

        return measure_fair_score(
            score_of,
            first,
            self._config.whole_epochs,
            soft=self.scorer.protocol().asks_teacher,
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
        return self.score_beside(name, distilled_set, first=first).to_json()
