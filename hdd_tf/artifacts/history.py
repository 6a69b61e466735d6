"""How a run's images did on the validation split while they were distilled.

TensorBoard shows the same scores; this file can be read without TensorFlow, and has
the seconds beside the iterations.
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
        iteration: Iterations the images had seen.
        seconds: Of distillation until then, without the scoring itself.
        accuracy: In percent, mean of the networks.
    """

    iteration: int
    seconds: float
    accuracy: float


def record_validation(run_dir: str | os.PathLike, score: ValidationScore) -> None:
    """Adds a score to a run's `validation.json`.

    A run resumed from a checkpoint scores some iterations again: what was written of
    this iteration and later ones is replaced.
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
