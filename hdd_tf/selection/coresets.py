"""Coresets: chosen real images, the baselines of distilled sets.

All coresets of a run share one trained network.
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
from hdd_tf.progress import epoch_bar
from hdd_tf.protocols.published import TrainingProtocol, dm_protocol
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.selection.greedy import herding, k_center
from hdd_tf.training.recording_trainer import RecordingTrainer

# Of the coresets' network: the values of DM's protocol, whatever protocol evaluates.
BATCH_SIZE = 256
LEARNING_RATE = 0.01


class CoresetSelector:
    """Chooses real images of each class, as a pure function of settings and data.

    Herding and k-center use the features of a network trained on the training split,
    and forgetting uses the forgetting events of that training. The network is trained
    once, when the first of these coresets is selected. The choice from a class does not
    depend on the other classes, so memory holds the features of one class at a time.

    Args:
        config: The run's settings, of which `seed`, `coreset_epochs`, `dsa` and
            `progress` are used.
        dataset: Data set from whose training split images are chosen.
        network: The network that computes the features, a function of its weights.
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
            ipc: Images per class; all images of a class that has fewer.

        Returns:
            `[k]` int64 rows of the training split, class by class.
        """
        return np.concatenate(SELECTIONS[name](self, ipc))

    def trained_network(self) -> RecordingTrainer:
        """Returns the trainer with the trained network; the first call trains it."""
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
        """Returns the training protocol of the coresets' network."""
        config = self._config
        return dm_protocol(config.coreset_epochs, BATCH_SIZE, LEARNING_RATE, config.dsa)

    def random(self, ipc: int) -> list[np.ndarray]:
        """Returns random rows of each class."""
        key = derive_key(self._config.seed, Purpose.RANDOM_BASELINE)
        generator = np.random.default_rng(key.numpy().astype(np.uint32))
        return [generator.permutation(rows)[:ipc] for rows in self._rows_of_classes()]

    def herding(self, ipc: int) -> list[np.ndarray]:
        """Returns rows whose mean feature follows the class mean; see `greedy`."""
        return self._by_features(herding, ipc)

    def k_center(self, ipc: int) -> list[np.ndarray]:
        """Returns rows that leave no feature far from a chosen one; see `greedy`."""
        return self._by_features(k_center, ipc)

    def forgetting(self, ipc: int) -> list[np.ndarray]:
        """Returns the rows most often forgotten, with never learnt ones first."""
        counts = self.trained_network().forgetting_counts()
        return [
            _most_forgotten(
                rows,
                counts[rows],
                ipc,
                # With a stream of its own, a class's choice depends on it alone.
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
    """Returns the `ipc` rows of the highest counts; ties are in random order."""
    shuffled = generator.permutation(len(rows))
    # The sort is stable, so the shuffled order breaks ties.
    order = np.argsort(-counts[shuffled].astype(np.int64), kind="stable")
    return rows[shuffled[order]][:ipc]


# (selector, images per class) -> rows of each class. A new coreset is a method above.
SELECTIONS: dict[str, Callable[[CoresetSelector, int], list[np.ndarray]]] = {
    "random": CoresetSelector.random,
    "herding": CoresetSelector.herding,
    "k_center": CoresetSelector.k_center,
    "forgetting": CoresetSelector.forgetting,
}


class CoresetSelection(Method):
    """A coreset as the result of a run.

    Args:
        context: The run's settings, data, network and devices.
        name: Key of `SELECTIONS`.

    Attributes:
        coresets: Selector of the images. Baselines beside this coreset share it, so
            that its network is trained once.

    Raises:
        InputError: a class has fewer images than `--ipc`.
    """

    def __init__(self, context: MethodContext, name: str) -> None:
        self.coresets = CoresetSelector(
            context.config, context.dataset, context.network
        )
        self._context = context
        self._name = name
        name, smallest = context.dataset.smallest_class
        ipc = context.config.ipc
        if ipc > smallest:
            raise InputError(
                f"--ipc={ipc} is more than the smallest class has ({name}: {smallest} "
                "training images); lower --ipc."
            )

    def result(self, metadata: Mapping[str, Any]) -> DistilledSet:
        """Returns the chosen images; the metadata records their rows.

        Args:
            metadata: Metadata of the run's sets.
        """
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
                # Rows of the training split without any held-out validation images.
                "training_rows": rows,
            },
        )


def build_random(context: MethodContext) -> CoresetSelection:
    """Builds the selection of random images."""
    return CoresetSelection(context, "random")


def build_herding(context: MethodContext) -> CoresetSelection:
    """Builds the selection by herding."""
    return CoresetSelection(context, "herding")


def build_k_center(context: MethodContext) -> CoresetSelection:
    """Builds the selection by k-center."""
    return CoresetSelection(context, "k_center")


def build_forgetting(context: MethodContext) -> CoresetSelection:
    """Builds the selection by forgetting events."""
    return CoresetSelection(context, "forgetting")
