"""What the report knows of a finished run."""

import dataclasses
import pathlib
from typing import Any, NamedTuple

from hdd_tf.artifacts.history import ValidationScore
from hdd_tf.config import rows

_ROWS = rows()


class FairScore(NamedTuple):
    """The DD-Ranking scores of a run's set, see evaluation/dd_ranking_score.py.

    Attributes:
        network: Architecture of the networks that were evaluated.
        lrs: Label-robust score, from 0 to 1.
        ars: Augmentation-robust score, from 0 to 1.
        whole_epochs: Epochs of the networks trained on the whole set, for `lrs`.
    """

    network: str
    lrs: float
    ars: float
    whole_epochs: int


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        path: Directory of the run.
        seed: Seed of the distillation.
        dataset: TFDS name without configuration and version, or `folder:NAME`.
        ipc: Images per class.
        objective: Method of the distillation, or selection.
        geometry: Geometry of the matching.
        iterations: Iterations of the distillation.
        accuracy: Test accuracies in percent of the networks trained on the distilled
            set, by architecture.
        baselines: Test accuracies in percent of the networks trained on other sets, by
            name of the set.
        fair_score: DD-Ranking scores; None if they were not requested.
        seconds: Seconds of distillation; None if not recorded.
        settings: Value of every flag that identifies the run.
        protocol: Description of the accuracy's measurement, from result.json.
        data: Description of the data set, from config.json.
        history: Scores on the validation split during the run.
        is_foreign: Whether it is no run, but the score of a set of another program;
            `path` is its file then.
    """

    path: pathlib.Path
    seed: int
    dataset: str
    ipc: int
    objective: str
    geometry: str
    iterations: int
    accuracy: dict[str, tuple[float, ...]]
    baselines: dict[str, tuple[float, ...]]
    fair_score: FairScore | None
    seconds: float | None
    settings: dict[str, Any]
    protocol: dict[str, Any]
    data: dict[str, Any]
    history: tuple[ValidationScore, ...]
    is_foreign: bool = False

    @property
    def is_soft(self) -> bool:
        """Whether networks learnt soft labels of the distilled set, not its classes."""
        return self.protocol.get("labels", "hard") != "hard"

    def reads(self, name: str) -> bool:
        """Returns whether the run depends on a setting, of any version."""
        row = _ROWS.get(name)
        return row is None or row.is_read(name, self.objective, self.geometry)
