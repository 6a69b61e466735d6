"""The accuracy of networks trained on a set, and of the baselines beside it."""

import dataclasses
import time
from collections.abc import Callable

import numpy as np

from hdd_tf.data.dataset import LabelledImages
from hdd_tf.evaluation.scorers.class_scores import ClassCounts
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.training.graph.accuracy import percent_correct
from hdd_tf.training.network_trainer import NetworkTrainer


@dataclasses.dataclass(frozen=True)
class Score:
    """Accuracies of several networks trained on one set.

    Attributes:
        values: Accuracy of each network in percent.
        images: Number of images in the set.
        seconds: Total time of training and testing.
        of_classes: What the networks took the test images of each class for; None where
            that was not counted.
    """

    values: tuple[float, ...]
    images: int
    seconds: float
    of_classes: ClassCounts | None = None

    @property
    def mean(self) -> float:
        """Mean accuracy in percent."""
        return float(np.mean(self.values))

    @property
    def std(self) -> float:
        """Population standard deviation in percent, as in the published tables."""
        return float(np.std(self.values))

    def to_json(self) -> dict:
        """Returns the entry of result.json."""
        return {
            "mean": round(self.mean, 4),
            "std": round(self.std, 4),
            "values": [round(value, 4) for value in self.values],
            "images": self.images,
            "seconds": round(self.seconds, 3),
            **(self.of_classes.to_json() if self.of_classes else {}),
        }


@dataclasses.dataclass(frozen=True)
class TrainedClassifier:
    """A network trained on a distilled set, as it was when it was tested.

    Attributes:
        network_name: Architecture, a name as in `--eval_networks`.
        weights: Weights, arrays of the network's `weight_shapes`.
        state: State, arrays of the network's `state_specs`; empty if it has none.
        accuracy: Accuracy on the test split, in percent.
    """

    network_name: str
    weights: list[np.ndarray]
    state: list[np.ndarray]
    accuracy: float


def score_networks(
    trainer: NetworkTrainer,
    held_out: LabelledImages,
    num_networks: int,
    seed: int,
    num_classes: int,
    on_epochs: Callable[[int], None] = lambda epochs: None,
    on_tested: Callable[[int, float], None] = lambda index, accuracy: None,
    first: int = 0,
) -> Score:
    """Trains fresh networks on a trainer's images and tests them on held-out ones.

    Args:
        trainer: Trainer that holds the images to train on.
        held_out: Images to test on, read once for each network.
        num_networks: Number of networks, more than `first`.
        seed: Seed of the networks: network k is a pure function of (seed, k).
        num_classes: Number of classes.
        on_epochs: Callback during training. It receives the number of epochs done
            since its last call.
        on_tested: Callback for each tested network, while the trainer holds its
            weights. It receives the network's number and its accuracy in percent.
        first: Number of the first network; those before it are known.

    Returns:
        The score of the networks `first`, ..., `num_networks - 1`.
    """
    start = time.perf_counter()
    values, counts, labels = [], None, held_out.labels
    for index in range(first, num_networks):
        trainer.train(derive_key(seed, Purpose.EVALUATION_NETWORK, index), on_epochs)
        predictions = trainer.predictions(held_out.images)
        values.append(percent_correct(predictions, labels))
        counted = ClassCounts.of(labels, predictions, num_classes)
        counts = counts + counted if counts else counted
        on_tested(index, values[-1])
    seconds = time.perf_counter() - start
    return Score(tuple(values), trainer.num_images, seconds, counts)
