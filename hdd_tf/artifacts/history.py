"""Scores of a run's images on the validation split during distillation.

TensorBoard shows the same scores. `validation.json` can be read without TensorFlow, and
records seconds as well as iterations.
"""

import dataclasses
import math
import os
import pathlib

from hdd_tf.files import atomic
from hdd_tf.files.json_files import read_json

_NAME = "validation.json"


@dataclasses.dataclass(frozen=True)
class ValidationScore:
    """One score.

    Attributes:
        iteration: Iterations that the images had seen.
        seconds: Seconds of distillation until then, without the scoring itself.
        accuracy: Mean accuracy of the networks in percent.
    """

    iteration: int
    seconds: float
    accuracy: float


def record_validation(run_dir: str | os.PathLike, score: ValidationScore) -> None:
    """Adds a score to a run's `validation.json`.

    A run resumed from a checkpoint scores some iterations again, so the new score
    replaces the scores of its iteration and of later ones.

    Args:
        run_dir: Directory of the run.
        score: Score to add.
    """
    earlier = [
        old for old in read_validation(run_dir) if old.iteration < score.iteration
    ]
    scores = [dataclasses.asdict(each) for each in (*earlier, score)]
    atomic.write_json(pathlib.Path(run_dir) / _NAME, scores)


def read_validation(run_dir: str | os.PathLike) -> tuple[ValidationScore, ...]:
    """Returns a run's scores in order; none if the file is missing or damaged."""
    try:
        entries = read_json(pathlib.Path(run_dir) / _NAME)
        scores = tuple(ValidationScore(**entry) for entry in entries)
        whole = all(
            math.isfinite(number)
            for score in scores
            for number in dataclasses.astuple(score)
        )
    except (OSError, TypeError, ValueError, OverflowError):
        return ()
    return scores if whole else ()
