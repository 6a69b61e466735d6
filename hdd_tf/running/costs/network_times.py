"""How long a network takes for an image, measured by a few updates."""

import dataclasses
import time
from collections.abc import Callable

import numpy as np

from hdd_tf.data.dataset import LabelledImages
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.distributed.precision import policy_of
from hdd_tf.evaluation.scorers.network_scorer import NetworkScorer
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.protocols.training_protocol import TrainingProtocol
from hdd_tf.random_keys import derive_key
from hdd_tf.training.network_trainer import NetworkTrainer

# Updates that are timed: more would make a dry run long, fewer would time its calls.
_TIMED_UPDATES = 3


class NetworkTimes:
    """Seconds for an image of one network at a time, each measured once.

    Architectures take turns, as in an evaluation: one is in memory.

    Args:
        run: The experiment; its network is the first that is timed.
    """

    def __init__(self, run: RunContext) -> None:
        self._run = run
        self._network, self._name = run.network, (run.config.network, "float32")
        self._seconds: dict[tuple, tuple[float, float]] = {}

    def choose_matched(self) -> None:
        """Makes the network of the run the one that is timed."""
        self._network = self._run.network
        self._name = (self._run.config.network, "float32")

    def choose_scored(self, scorer: NetworkScorer, name: str) -> None:
        """Makes a network of an evaluation the one that is timed.

        Args:
            scorer: Scorer of the evaluation.
            name: Name of the architecture.
        """
        key = (name, policy_of(self._run.config.eval_precision))
        if key != self._name:
            self._network, self._name = scorer.scored_network(name), key

    def choose(self, network: FunctionalNetwork, name: str) -> None:
        """Makes a network that trains on real images the one that is timed.

        Args:
            network: The network.
            name: Key of `networks.registry.NETWORKS`.
        """
        policy = policy_of(self._run.config.precision)
        # The matched network is in memory in float32 too.
        self._network = network
        self._name = (name, "float32" if network is self._run.network else policy)

    def of_image(
        self, protocol: TrainingProtocol, images: int | None = None
    ) -> tuple[float, float]:
        """Returns the seconds for an image of training and of testing.

        Args:
            protocol: Protocol of the training.
            images: Number of images of the set; None for a whole batch or more.
        """
        training = self._run.dataset.training
        count = min(protocol.batch_size, images or protocol.batch_size)
        short = dataclasses.replace(
            protocol.with_hard_labels(), epochs=_TIMED_UPDATES, drop_epochs=()
        )
        key = (self._name, count, short)
        if key not in self._seconds:
            rows = np.arange(count) % len(training.labels)
            self._seconds[key] = _measure(
                self._network, self._run, training.take(rows), short
            )
        return self._seconds[key]


def _measure(
    network: FunctionalNetwork,
    run: RunContext,
    part: LabelledImages,
    protocol: TrainingProtocol,
) -> tuple[float, float]:
    trainer = NetworkTrainer(
        network, part.images, part.labels, run.dataset.normalisation, protocol
    )
    key, count = derive_key(run.config.seed), len(part.labels)

    def seconds(work: Callable[[], object]) -> float:
        work()  # Traces the graph.
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    train = seconds(lambda: trainer.train(key))
    test = seconds(lambda: trainer.accuracy(part.images, part.labels))
    return train / (count * protocol.epochs), test / count
