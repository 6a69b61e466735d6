"""Sets that are kept while a run goes on: the best on validation, or every one."""

import dataclasses
from typing import Any, Protocol

from hdd_tf.artifacts import run_records
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.sets.distilled_set import (
    DistilledSet,
    is_distilled_set,
    read_distilled_set,
    write_distilled_set,
)
from hdd_tf.errors import InputError
from hdd_tf.evaluate.evaluation import Evaluation


class SetTracker(Protocol):
    """Keeps some of the sets that are scored on the validation split."""

    def offer(
        self, iteration: int, accuracy: float, distilled_set: DistilledSet
    ) -> None:
        """Keeps a set, or not.

        Args:
            iteration: Iterations it has seen.
            accuracy: Its accuracy on the validation split in percent.
            distilled_set: The set.
        """


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
            chosen = read_distilled_set(self._place).metadata.get("selected")
            if not isinstance(chosen, dict) or not run_records.is_choice(chosen):
                raise InputError(
                    f"{self._place} does not say how it did on the validation split: "
                    "remove it."
                )
            self._accuracy = chosen["validation_accuracy"]

    def offer(
        self, iteration: int, accuracy: float, distilled_set: DistilledSet
    ) -> None:
        """Keeps a candidate if none before was as good; see `SetTracker`."""
        if accuracy <= self._accuracy:
            return
        self._accuracy = accuracy
        metadata = {
            **self._metadata,
            "iteration": iteration,
            "selected": {"iteration": iteration, "validation_accuracy": accuracy},
        }
        write_distilled_set(
            self._place, dataclasses.replace(distilled_set, metadata=metadata)
        )

    def read(self) -> DistilledSet:
        """Returns the best candidate; `metadata["selected"]` says which it was."""
        return read_distilled_set(self._place)


class EverySet:
    """Every set that was scored during a run, for what `--best_on_test` tells.

    They are scored on the test split only once the run's own result is there, so that
    nothing in the run can depend on it.

    Args:
        directory: The run's directory; they lie in its `candidates/`.
        metadata: Of the sets to write.
    """

    def __init__(self, directory: RunDirectory, metadata: dict[str, Any]) -> None:
        self._place = directory.path / "candidates"
        self._metadata = metadata

    def offer(
        self, iteration: int, accuracy: float, distilled_set: DistilledSet
    ) -> None:
        """Keeps every set; see `SetTracker`."""
        del accuracy
        write_distilled_set(
            self._place / f"iteration_{iteration:06d}",
            dataclasses.replace(
                distilled_set, metadata={**self._metadata, "iteration": iteration}
            ),
        )

    def best_on_test(self, evaluation: Evaluation) -> dict[str, Any]:
        """Scores all of them on the test split.

        Returns:
            The best one's `iteration` and score, and how many there were.
        """
        scores = []
        for place in sorted(self._place.iterdir()):
            candidate = read_distilled_set(place)
            score = evaluation.score_set(candidate).to_json()
            scores.append({"iteration": candidate.metadata["iteration"], **score})
        best = max(scores, key=lambda score: score["mean"])
        return {**best, "candidates": len(scores)}
