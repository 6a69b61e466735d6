"""The accuracy of networks trained on a set, and of the baselines beside it."""

import dataclasses
import time
from collections.abc import Callable

import numpy as np

from hdd_tf.data.dataset import LabelledImages
from hdd_tf.random_keys import Purpose, derive_key
from hdd_tf.training.network_trainer import NetworkTrainer


@dataclasses.dataclass(frozen=True)
class Score:
    """Accuracies of several networks trained on one set.

    Attributes:
        values: Accuracy of each network in percent.
        images: Number of images they were trained on.
        seconds: Time of all of them.
    """

    values: tuple[float, ...]
    images: int
    seconds: float

    @property
    def mean(self) -> float:
        """Mean accuracy in percent."""
        return float(np.mean(self.values))

    @property
    def std(self) -> float:
        """Population standard deviation, as the published tables have it."""
        return float(np.std(self.values))

    def to_json(self) -> dict:
        """Returns the entry of result.json."""
        return {
            "mean": round(self.mean, 4),
            "std": round(self.std, 4),
            "values": [round(value, 4) for value in self.values],
            "images": self.images,
            "seconds": round(self.seconds, 3),
        }


@dataclasses.dataclass(frozen=True)
class TrainedClassifier:
    """A network trained on a distilled set, as it was when it was tested.

    Attributes:
        network_name: Its architecture, as `--eval_networks` names it.
        weights: In the order of the network's `weight_shapes`.
        state: In the order of its `state_specs`; empty where it has none.
        accuracy: On the test split, in percent.
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
    on_epochs: Callable[[int], None] = lambda epochs: None,
    on_tested: Callable[[int, float], None] = lambda index, accuracy: None,
) -> Score:
    """Trains fresh networks on a trainer's images and tests them on held-out ones.

    Args:
        trainer: Holds the images to train on.
        held_out: The images to test on, read once for each network.
        num_networks: How many networks, >= 1.
        seed: Network k is a pure function of (seed, k).
        on_epochs: Called now and then with the number of epochs just done.
        on_tested: Called with each network's number and accuracy, while the trainer
            holds its weights.

    Returns:
        The score.
    """
    start = time.perf_counter()
    values = []
    for index in range(num_networks):
        trainer.train(derive_key(seed, Purpose.EVALUATION_NETWORK, index), on_epochs)
        values.append(trainer.accuracy(held_out.images, held_out.labels))
        on_tested(index, values[-1])
    return Score(tuple(values), trainer.num_images, time.perf_counter() - start)
