"""Keeping the images that did best on the validation split."""

from typing import Any

import numpy as np

from hdd_tf.artifacts.distilled_set import (
    DistilledSet,
    is_distilled_set,
    read_distilled_set,
    write_distilled_set,
)
from hdd_tf.artifacts.run_directory import RunDirectory


class BestOnValidation:
    """The best candidate so far, on disk, so that a resumed run knows it too.

    Args:
        directory: The run's directory; the candidate lies in its `best_validation/`.
        metadata: Of the sets to write.
    """

    def __init__(self, directory: RunDirectory, metadata: dict[str, Any]) -> None:
        self._place = directory.path / "best_validation"
        self._metadata = metadata
        self._accuracy = -1.0
        if self._place.is_dir() and is_distilled_set(self._place):
            chosen = read_distilled_set(self._place).metadata["selected"]
            self._accuracy = chosen["validation_accuracy"]

    def offer(self, iteration: int, accuracy: float, pixels: np.ndarray) -> None:
        """Keeps a candidate if none before was as good.

        Args:
            iteration: Iterations its images have seen.
            accuracy: Their accuracy on the validation split in percent.
            pixels: `[C, ipc, h, w, c]` float32 on the 0-255 scale.
        """
        if accuracy <= self._accuracy:
            return
        self._accuracy = accuracy
        metadata = {
            **self._metadata,
            "iteration": iteration,
            "selected": {"iteration": iteration, "validation_accuracy": accuracy},
        }
        write_distilled_set(
            self._place, DistilledSet.from_class_images(pixels, metadata)
        )

    def read(self) -> DistilledSet:
        """Returns the best candidate; `metadata["selected"]` says which it was."""
        return read_distilled_set(self._place)
