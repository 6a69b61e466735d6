"""Scores a set that was read from its files, and the sets of real images beside it."""

from collections.abc import Callable

import numpy as np

from hdd_tf.artifacts.sets.decoding import decode_set
from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.artifacts.sets.set_match import check_matches
from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset
from hdd_tf.evaluation.scorers.network_scorer import NetworkScorer, ignore_network
from hdd_tf.evaluation.scorers.scoring import Score
from hdd_tf.methods.registry import BESIDE_TITLES, HARD_LABELS, WHOLE
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.selection.coresets import CoresetSelector
from hdd_tf.training.network_trainer import NetworkTrainer
from hdd_tf.training.taught_sets import learns_of_teacher, set_beside, taught_by

OnTested = Callable[[NetworkTrainer, int, float], None]


class SetScorer:
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

    Raises:
        InputError: `NetworkScorer` raises it.
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
        self.coresets = coresets or CoresetSelector(config, dataset, network)

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

    def score_beside(
        self,
        name: str,
        distilled_set: DistilledSet,
        augmented: bool = True,
        first: int = 0,
    ) -> Score:
        """Scores one of `sets_beside` for a set.

        Args:
            name: Name of the set beside it.
            distilled_set: The set.
            augmented: True if training uses the protocol's augmentation and CutMix.
            first: Number of the first network; those before it are left out.
        """
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
