"""Real images that experts classify rightly, and what experts say of images.

Source: Guo et al., "Towards Lossless Dataset Distillation via Difficulty-Aligned
Trajectory Matching" (DATM), ICLR 2024, and its released program.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from hdd_tf.data.dataset import Dataset
from hdd_tf.errors import InputError
from hdd_tf.networks.functional import FunctionalNetwork
from hdd_tf.random_keys import Purpose, derive_key

_AT_ONCE = 64
# A class asks the first experts, and the next class the same again.
_EXPERTS_KEPT = 4


class Judges:
    """The trained experts, asked for the logits of images.

    Args:
        network: The network, a function of its weights.
        number: Number of experts.
        weights_of: Function that reads the weights of an expert, of which few are kept.

    Attributes:
        number: Number of experts.
    """

    def __init__(
        self,
        network: FunctionalNetwork,
        number: int,
        weights_of: Callable[[int], Sequence[Any]],
    ) -> None:
        self.number = number
        self._weights_of = functools.lru_cache(_EXPERTS_KEPT)(
            lambda expert: [tf.constant(weight) for weight in weights_of(expert)]
        )
        self._logits = tf.function(network.logits, autograph=False)

    def logits(self, expert: int, images: np.ndarray) -> np.ndarray:
        """Returns the logits `[n, C]` of an expert for normalised `[n, h, w, c]`."""
        weights = self._weights_of(expert)
        found = []
        for start in range(0, len(images), _AT_ONCE):
            part = images[start : start + _AT_ONCE]
            # One shape, one trace.
            rest = [(0, _AT_ONCE - len(part))] + [(0, 0)] * (images.ndim - 1)
            logits = self._logits(weights, tf.constant(np.pad(part, rest)))
            found.append(logits.numpy()[: len(part)])
        return np.concatenate(found)


def right_rows(dataset: Dataset, judges: Judges, ipc: int, seed: int) -> np.ndarray:
    """Chooses images that experts classify rightly.

    In each class, in a random order: those that the first expert classifies rightly; if
    these run out, those of the rest that the second does, and so on.

    Args:
        dataset: Data set whose training split they are of.
        judges: The experts.
        ipc: Images per class.
        seed: Seed of the run.

    Returns:
        `[C, ipc]` rows of the training split.

    Raises:
        InputError: the experts classify too few images of a class rightly.
    """
    return np.stack(
        [
            _right_of_class(dataset, judges, ipc, seed, label)
            for label in range(dataset.num_classes)
        ]
    )


def _right_of_class(
    dataset: Dataset, judges: Judges, ipc: int, seed: int, label: int
) -> list[int]:
    key = derive_key(seed, Purpose.TRAJECTORY_IMAGES, label)
    rows = np.flatnonzero(dataset.training.labels == label)
    order = tf.random.experimental.stateless_shuffle(tf.constant(rows), key).numpy()
    normalise = dataset.normalisation.normalise
    chosen: list[int] = []
    for expert in range(judges.number):
        rest = order[~np.isin(order, chosen)]
        for start in range(0, len(rest), _AT_ONCE):
            part = rest[start : start + _AT_ONCE]
            logits = judges.logits(expert, normalise(dataset.training.images[part]))
            chosen += part[logits.argmax(-1) == label].tolist()
            if len(chosen) >= ipc:
                return chosen[:ipc]
    name = dataset.label_names[label]
    raise InputError(
        f"the experts classify {len(chosen)} training images of class {label} ({name}) "
        f"rightly, and --ipc={ipc} starts from as many: give --trajectory_init=any, or "
        "more --trajectory_epochs or --trajectory_experts."
    )


def mean_of_right(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the mean logits of the experts that are right.

    Args:
        logits: `[E, n, C]` logits of E experts.
        labels: `[n]` class numbers.

    Returns:
        `[n, C]`. The program has no value for an image that every expert takes for
        another class; here it gets the mean of all experts.
    """
    right = (logits.argmax(-1) == labels).astype(logits.dtype)
    right[:, ~right.any(axis=0)] = 1.0
    return np.einsum("en,enc->nc", right, logits) / right.sum(axis=0)[:, None]


@dataclasses.dataclass(frozen=True, eq=False)
class Beginning:
    """Makes the images and the soft labels that a run starts from.

    Attributes:
        dataset: Data set that is distilled.
        network: The network, a function of its weights.
        seed: Seed of the run.
        chooses: True to choose real images that experts classify rightly.
        asks_all: True for the mean logits of the experts that are right; False for
            those of the first expert, right or wrong.
    """

    dataset: Dataset
    network: FunctionalNetwork
    seed: int
    chooses: bool
    asks_all: bool

    def of(
        self,
        number: int,
        weights_of: Callable[[int], Sequence[Any]],
        start: tf.Tensor,
    ) -> tuple[tf.Tensor, np.ndarray]:
        """Returns images and logits.

        Args:
            number: Number of experts.
            weights_of: Function that reads the trained weights of an expert.
            start: `[C, ipc, h, w, c]` normalised images; returned where none are
                chosen.

        Returns:
            `[C, ipc, h, w, c]` float32 images and `[C, ipc, C]` float32 logits.

        Raises:
            InputError: the experts classify too few images rightly.
        """
        judges = Judges(self.network, number, weights_of)
        num_classes, ipc = start.shape[:2]
        if self.chooses:
            rows = right_rows(self.dataset, judges, ipc, self.seed).ravel()
            pixels = self.dataset.training.images[rows]
            images = self.dataset.normalisation.normalise(pixels)
        else:
            images = start.numpy().reshape(-1, *start.shape[2:])
        if self.asks_all:
            every = [judges.logits(expert, images) for expert in range(judges.number)]
            labels = np.repeat(np.arange(num_classes), ipc)
            logits = mean_of_right(np.stack(every), labels)
        else:
            logits = judges.logits(0, images)
        return tf.reshape(images, start.shape), logits.reshape(num_classes, ipc, -1)
