"""Trackers that keep sets during a run: the best on validation, or every set."""

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
from hdd_tf.evaluation.evaluation import Evaluation
from hdd_tf.evaluation.scorers.class_scores import without_class_scores


class SetTracker(Protocol):
    """A tracker that keeps some of the sets scored on the validation split."""

    def offer(
        self, iteration: int, accuracy: float, distilled_set: DistilledSet
    ) -> None:
        """Keeps the set if this tracker's rule says so.

        Args:
            iteration: Iterations that the set has seen.
            accuracy: Accuracy on the validation split in percent.
            distilled_set: The set.
        """


class BestOnValidation:
    """A tracker that keeps the best set on disk, so that a resumed run has it too.

    Args:
        directory: Directory of the run; the set is in its `best_validation/`.
        metadata: Metadata of the sets to write.

    Raises:
        InputError: a set in `best_validation/` is damaged, or has no accuracy.
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
                    "move it away."
                )
            self._accuracy = chosen["validation_accuracy"]

    def offer(
        self, iteration: int, accuracy: float, distilled_set: DistilledSet
    ) -> None:
        """Keeps a set if its accuracy exceeds all before; see `SetTracker`."""
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
        """Returns the best set; `metadata["selected"]` has iteration and accuracy."""
        return read_distilled_set(self._place)


class EverySet:
    """A tracker that keeps every set, for `--best_on_test`.

    The sets are scored on the test split after the run's own result is written, so that
    nothing in the run can depend on these scores.

    Args:
        directory: Directory of the run; the sets are in its `candidates/`.
        metadata: Metadata of the sets to write.
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
        """Scores all sets on the test split.

        Args:
            evaluation: Evaluation with the settings of the run.

        Returns:
            The `iteration` and the score of the best set, and the number of sets,
            `candidates`.
        """
        scores = []
        for place in sorted(self._place.iterdir()):
            candidate = read_distilled_set(place)
            score = evaluation.score_set(candidate).to_json()
            iteration = candidate.metadata["iteration"]
            scores.append({"iteration": iteration, **without_class_scores(score)})
        best = max(scores, key=lambda score: score["mean"])
        return {**best, "candidates": len(scores)}
