"""How networks do on each class: accuracies, and what is taken for what."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

# A matrix of more classes would be most of result.json, and nobody could read it.
MOST_CONFUSED = 1000


@dataclasses.dataclass(frozen=True)
class ClassCounts:
    """Test images counted by their class, and by what networks took them for.

    Attributes:
        images: `[C]` int64, test images of each class.
        hits: `[C]` int64, those classified correctly, summed over networks.
        confusion: `[C, C]` int64, images of a class (row) taken for a class (column),
            summed over networks; None with more than `MOST_CONFUSED` classes.
        networks: Number of networks.
    """

    images: np.ndarray
    hits: np.ndarray
    confusion: np.ndarray | None
    networks: int = 1

    @classmethod
    def of(cls, labels: np.ndarray, predictions: np.ndarray, classes: int) -> Self:
        """Counts the test images of one network.

        Args:
            labels: `[n]` integer class numbers below `classes`.
            predictions: `[n]` integers, what the network takes the images for.
            classes: C, the number of classes.
        """
        images = np.bincount(labels, minlength=classes)
        hits = np.bincount(labels[labels == predictions], minlength=classes)
        confusion = None
        if classes <= MOST_CONFUSED:
            pairs = labels.astype(np.int64) * classes + predictions
            confusion = np.bincount(pairs, minlength=classes**2)
            confusion = confusion.reshape(classes, classes)
        return cls(images, hits, confusion)

    def __add__(self, other: Self) -> Self:
        """Returns the counts of the networks of both, on the same test images."""
        confusion = None
        if self.confusion is not None and other.confusion is not None:
            confusion = self.confusion + other.confusion
        return dataclasses.replace(
            self,
            hits=self.hits + other.hits,
            confusion=confusion,
            networks=self.networks + other.networks,
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the entries of a score in result.json, means over the networks.

        Returns:
            `per_class`, the accuracy on each class in percent, None where the split has
            no image of it; and `confusion`, the percentage of the images of a class
            (row) taken for each class (column), None in rows without images.
        """
        percent = 100.0 / np.maximum(self.images, 1) / self.networks
        empty = self.images == 0
        found: dict[str, Any] = {
            "per_class": [
                None if none else value
                for value, none in zip(
                    np.round(self.hits * percent, 4).tolist(), empty, strict=True
                )
            ]
        }
        if self.confusion is not None:
            rows = np.round(self.confusion * percent[:, None], 2).tolist()
            found["confusion"] = [
                None if none else row for row, none in zip(rows, empty, strict=True)
            ]
        return found


def pool_class_scores(scores: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Pools the entries of `ClassCounts.to_json`: all networks of all sets.

    Args:
        scores: Scores as in result.json, with their `values`; at least one.

    Returns:
        Those of the two entries that all scores have, for the same classes; earlier
        versions wrote none.
    """
    weights = [len(score["values"]) for score in scores]
    pooled = {}
    for name, digits in (("per_class", 4), ("confusion", 2)):
        entries = [score.get(name) or [] for score in scores]
        patterns = {tuple(row is not None for row in entry) for entry in entries}
        if len(patterns) > 1 or not entries[0]:
            continue
        values = np.array(
            [[row for row in entry if row is not None] for entry in entries], np.float64
        )
        mean = np.average(values, axis=0, weights=weights)
        rows = iter(np.round(mean, digits).tolist())
        pooled[name] = [next(rows) if there else None for there in patterns.pop()]
    return pooled


def without_class_scores(score: dict[str, Any]) -> dict[str, Any]:
    """Returns a score as in result.json without what it says of each class."""
    return {k: v for k, v in score.items() if k not in ("per_class", "confusion")}
