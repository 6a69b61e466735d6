"""Coresets: real images that stand for all; what distilled sets are held against.

The network behind them is trained once for all.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hdd_tf.artifacts.sets.distilled_set import DistilledSet
from hdd_tf.config import Config
from hdd_tf.data.dataset import Dataset
from hdd_tf.distillation.method import Method
from hdd_tf.distillation.method_context import MethodContext
from hdd_tf.errors import InputError
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.protocols.published import TrainingProtocol, dm_protocol
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.selection.greedy import herding, k_center
from hdd_tf.training.progress import epoch_bar
from hdd_tf.training.recording_trainer import RecordingTrainer

# Of the network behind the features; those of DM's protocol, whatever evaluates.
BATCH_SIZE = 256
LEARNING_RATE = 0.01


class CoresetSelector:
    """Chooses real images of each class, a pure function of settings and data.

    Herding and k-center see the features of a network trained on the training split;
    forgetting sees how that training went. It is trained when the first of them is
    asked for, and only once. A class is chosen from without regard to the others, so
    no more than one class's features are ever held.

    Args:
        config: seed, coreset_epochs, dsa, progress.
        dataset: Where to choose from: the training split.
        network: The network behind the features, a function of its weights.
    """

    def __init__(
        self, config: Config, dataset: Dataset, network: FunctionalNetwork
    ) -> None:
        self._config = config
        self._dataset = dataset
        self._network = network
        self._trained: RecordingTrainer | None = None

    def select(self, name: str, ipc: int) -> np.ndarray:
        """Chooses the images of a coreset.

        Args:
            name: Key of `SELECTIONS`.
            ipc: Images of each class; all of them where a class has fewer.

        Returns:
            Int64 rows of the training split, class by class.
        """
        return np.concatenate(SELECTIONS[name](self, ipc))

    @property
    def smallest_class(self) -> int:
        """Number of training images of the smallest class."""
        return int(np.bincount(self._dataset.training.labels).min())

    def trained_network(self) -> RecordingTrainer:
        """Returns the trained network; trains it the first time."""
        if self._trained is None:
            dataset, config = self._dataset, self._config
            trainer = RecordingTrainer(
                self._network,
                dataset.training.images,
                dataset.training.labels,
                dataset.normalisation,
                self.protocol(),
            )
            key = derive_key(config.seed, Purpose.CORESET_NETWORK)
            epochs = config.coreset_epochs
            with epoch_bar("coreset network", epochs, config.progress) as bar:
                trainer.train(key, bar.update)
            self._trained = trainer
        return self._trained

    def protocol(self) -> TrainingProtocol:
        """Returns how the network behind the features is trained."""
        config = self._config
        return dm_protocol(config.coreset_epochs, BATCH_SIZE, LEARNING_RATE, config.dsa)

    def random(self, ipc: int) -> list[np.ndarray]:
        """Draws images of each class."""
        key = derive_key(self._config.seed, Purpose.RANDOM_BASELINE)
        generator = np.random.default_rng(key.numpy().astype(np.uint32))
        return [generator.permutation(rows)[:ipc] for rows in self._rows_of_classes()]

    def herding(self, ipc: int) -> list[np.ndarray]:
        """Chooses those whose mean feature follows the class's; see `greedy`."""
        return self._by_features(herding, ipc)

    def k_center(self, ipc: int) -> list[np.ndarray]:
        """Chooses those that leave no feature far from a chosen one; see `greedy`."""
        return self._by_features(k_center, ipc)

    def forgetting(self, ipc: int) -> list[np.ndarray]:
        """Chooses those most often forgotten in training, never learnt ones first."""
        counts = self.trained_network().forgetting_counts()
        return [
            _most_forgotten(
                rows,
                counts[rows],
                ipc,
                # A stream of its own: a class's choice depends on that class alone.
                np.random.default_rng([self._config.seed, Purpose.CORESET_TIES, label]),
            )
            for label, rows in enumerate(self._rows_of_classes())
        ]

    def _by_features(
        self, choose: Callable[[np.ndarray, int], np.ndarray], ipc: int
    ) -> list[np.ndarray]:
        network = self.trained_network()
        return [
            rows[choose(network.features(rows), ipc)]
            for rows in self._rows_of_classes()
        ]

    def _rows_of_classes(self) -> list[np.ndarray]:
        labels = self._dataset.training.labels
        return [
            np.flatnonzero(labels == label)
            for label in range(self._dataset.num_classes)
        ]


def _most_forgotten(
    rows: np.ndarray, counts: np.ndarray, ipc: int, generator: np.random.Generator
) -> np.ndarray:
    """Returns the `ipc` rows of the highest counts; equals come in random order."""
    shuffled = generator.permutation(len(rows))
    # Stable, so the shuffled order decides between equals.
    order = np.argsort(-counts[shuffled].astype(np.int64), kind="stable")
    return rows[shuffled[order]][:ipc]


# (selector, images per class) -> rows of each class; a new one is a method above.
SELECTIONS: dict[str, Callable[[CoresetSelector, int], list[np.ndarray]]] = {
    "random": CoresetSelector.random,
    "herding": CoresetSelector.herding,
    "k_center": CoresetSelector.k_center,
    "forgetting": CoresetSelector.forgetting,
}


class CoresetSelection(Method):
    """A coreset as the result of a run.

    Args:
        context: What the run has.
        name: Key of `SELECTIONS`.

    Attributes:
        coresets: Chooses the images; for baselines beside this one too, so that the
            network behind them is trained once.

    Raises:
        InputError: a class has fewer images than are asked for.
    """

    def __init__(self, context: MethodContext, name: str) -> None:
        self.coresets = CoresetSelector(
            context.config, context.dataset, context.network
        )
        self._context = context
        self._name = name
        smallest, ipc = self.coresets.smallest_class, context.config.ipc
        if ipc > smallest:
            raise InputError(
                f"--ipc={ipc} is more than the smallest class has ({smallest} "
                "training images); lower --ipc."
            )

    def result(self, metadata: Mapping[str, Any]) -> DistilledSet:
        """Chooses the images, and says which they are."""
        dataset, ipc = self._context.dataset, self._context.config.ipc
        rows = self.coresets.select(self._name, ipc)
        images = dataset.training.images[rows].reshape(
            dataset.num_classes, ipc, *dataset.image_shape
        )
        return DistilledSet.from_class_images(
            images,
            {
                **metadata,
                "selected": f"real images by {self._name}",
                # Of the training split, after any validation split was taken out.
                "training_rows": rows,
            },
        )


def build_random(context: MethodContext) -> CoresetSelection:
    """Builds the choice of any images."""
    return CoresetSelection(context, "random")


def build_herding(context: MethodContext) -> CoresetSelection:
    """Builds herding."""
    return CoresetSelection(context, "herding")


def build_k_center(context: MethodContext) -> CoresetSelection:
    """Builds the choice of centres."""
    return CoresetSelection(context, "k_center")


def build_forgetting(context: MethodContext) -> CoresetSelection:
    """Builds the choice of forgotten images."""
    return CoresetSelection(context, "forgetting")
