"""From runs to the rows of a table: runs that differ only in their seed are pooled."""

import dataclasses
import json
import statistics
from collections.abc import Sequence
from typing import Any

from hdd_tf.artifacts.data_identity import images_of
from hdd_tf.config import names_of
from hdd_tf.methods.registry import (
    BESIDE_TITLES,
    HARD_LABELS,
    METHODS,
    WHOLE,
    is_distilled,
)
from hdd_tf.report.records import Warn, is_own
from hdd_tf.report.run import FairScore, Run
from hdd_tf.settings.parsers import BASELINES
from hdd_tf.settings.scope import Scope

# Settings that do not make another row: the seeds are what is pooled, the result says
# for how many iterations it holds, and baselines have rows of their own.
_NOT_OF_THE_ROW = {*names_of(Scope.SEED, Scope.MAY_GROW, Scope.BASELINES)}
# Settings that do not touch a baseline. One unknown here only keeps rows apart.
_OF_MATCHING = {*names_of(Scope.MATCHING)}
# Baselines whose networks learn classes, whatever labels the set beside them has.
_ALWAYS_HARD = (WHOLE, HARD_LABELS)


@dataclasses.dataclass
class Group:
    """Runs that are the same but for the seed.

    Attributes:
        runs: One for each seed.
    """

    runs: list[Run]

    @property
    def first(self) -> Run:
        """Stands for what all have in common."""
        return self.runs[0]


@dataclasses.dataclass
class Row:
    """One set, or several of different seeds, scored with one architecture.

    Attributes:
        title: `distilled` or the name of a baseline.
        network: The architecture.
        runs: Where the numbers are from, one for each seed.
        values: Accuracies in percent of the networks of each run.
    """

    title: str
    network: str
    runs: list[Run]
    values: list[tuple[float, ...]]

    @property
    def run(self) -> Run:
        """Stands for what all have in common."""
        return self.runs[0]

    @property
    def objective(self) -> str:
        """What was matched, or the baseline's name: as published numbers are kept."""
        return self.run.objective if self.title == "distilled" else self.title

    @property
    def is_distilled(self) -> bool:
        """Whether distillation made the set; coresets are chosen."""
        return self.title == "distilled" and is_distilled(self.objective)

    @property
    def is_soft(self) -> bool:
        """Whether networks learnt soft labels, and not the classes."""
        if self.title == "distilled":
            return self.run.is_soft
        labels = self.run.protocol.get("baseline_labels", "hard")
        return labels != "hard" and self.title not in _ALWAYS_HARD

    @property
    def is_taught_baseline(self) -> bool:
        """Whether real images were labelled by the teacher of the set beside them."""
        others = ("distilled", *BESIDE_TITLES)
        return self.title not in others and self.is_soft

    @property
    def pooled(self) -> list[float]:
        """All networks of all sets, as the published tables pool them."""
        return [value for values in self.values for value in values]

    @property
    def mean(self) -> float:
        """Mean accuracy in percent."""
        return statistics.fmean(self.pooled)

    @property
    def std(self) -> float:
        """Population standard deviation, as the published tables have it."""
        return statistics.pstdev(self.pooled)

    @property
    def fair_scores(self) -> list[FairScore]:
        """DD-Ranking's scores of the sets, where they were asked for."""
        if self.title != "distilled":
            return []
        scores = [run.fair_score for run in self.runs if run.fair_score]
        return [score for score in scores if score.network == self.network]

    @property
    def epochs(self) -> int | None:
        """Epochs that each network was trained; None if not recorded."""
        protocol, settings = self.run.protocol, self.run.settings
        if self.title == WHOLE:
            return protocol.get("whole_epochs", settings.get("whole_epochs"))
        return protocol.get("epochs", settings.get("eval_epochs"))


def group_runs(runs: Sequence[Run], warn: Warn) -> list[Group]:
    """Puts runs together that are the same but for the seed.

    Args:
        runs: In any order.
        warn: Called with one line for a run that repeats another's seed; it is left
            out, as it would count the same networks twice.

    Returns:
        Groups in the table's order.
    """
    groups: dict[str, Group] = {}
    for number, run in enumerate(sorted(runs, key=lambda r: (_order(r), r.seed))):
        # What has baselines alone stands beside the run's own entry, not in its place.
        # Nobody knows of another program's sets which are the same but for a seed.
        is_pooled = run.accuracy and not run.is_foreign
        key = _key(run, _NOT_OF_THE_ROW) if is_pooled else str(number)
        group = groups.setdefault(key, Group([]))
        same = [other for other in group.runs if other.seed == run.seed]
        if same:
            warn(f"{run.path}: same run and seed as {same[0].path}; skipped")
        else:
            group.runs.append(run)
    return list(groups.values())


def table_rows(groups: Sequence[Group]) -> list[Row]:
    """Returns the rows of all groups and of the baselines beside them.

    A baseline scored beside several groups, such as DM and DM+HDD, has one row, in
    which each seed counts once.
    """
    rows = [
        Row(
            "distilled",
            network,
            [run for run in group.runs if network in run.accuracy],
            [run.accuracy[network] for run in group.runs if network in run.accuracy],
        )
        for group in groups
        for network in {name: None for run in group.runs for name in run.accuracy}
    ]
    baselines: dict[tuple[str, str], Row] = {}
    for run in (run for group in groups for run in group.runs):
        for name, values in run.baselines.items():
            network = str(
                run.protocol.get("baseline_network")
                or run.settings.get("network", "convnet")
            )
            key = name, _baseline_key(run, name)
            row = baselines.setdefault(key, Row(name, network, [], []))
            if run.seed not in {other.seed for other in row.runs}:
                row.runs.append(run)
                row.values.append(values)
    return sorted([*rows, *baselines.values()], key=_row_order)


def _key(run: Run, left_out: set[str]) -> str:
    """Returns text that is the same for runs that belong together."""
    settings = {
        name: value
        for name, value in run.settings.items()
        if name not in left_out and run.reads(name)
    }
    # Versions add switches to the protocol, off unless asked for.
    protocol = {k: v for k, v in run.protocol.items() if v and k != "whole_epochs"}
    facts = ["training_images", "test_images", "mean"]
    if is_own(run.dataset):
        facts.append("label_names")
    data = {k: run.data.get(k) for k in facts}
    name: Any = run.dataset
    images = images_of(run.settings, run.data)
    if images != run.settings.get("dataset"):  # A folder, whatever leads there.
        settings["dataset"] = name = images
    parts: list[Any] = [name, run.ipc, run.objective, run.geometry]
    parts += [run.iterations, settings, protocol, data]
    return json.dumps(parts, sort_keys=True)


def _baseline_key(run: Run, name: str) -> str:
    # Of a set or of its teacher, and not of the real images alone.
    of_the_set = name in (HARD_LABELS, *BESIDE_TITLES)
    if of_the_set or Row(name, "", [run], []).is_taught_baseline:
        return _key(run, _NOT_OF_THE_ROW)
    matching = _OF_MATCHING.intersection(run.settings)
    stripped = dataclasses.replace(run, objective="", geometry="", iterations=0)
    if name == WHOLE:  # One set and schedule, whatever the images per class.
        epochs = Row(name, "", [run], []).epochs
        protocol = {**run.protocol, "epochs": epochs, "drop_epochs": None}
        stripped = dataclasses.replace(stripped, ipc=0, protocol=protocol)
        matching |= {"ipc", "eval_epochs"}
    return _key(stripped, _NOT_OF_THE_ROW | matching)


def _order(run: Run) -> tuple[Any, ...]:
    methods = list(METHODS)
    known = run.objective in methods
    place = methods.index(run.objective) if known else len(methods)
    return run.dataset, run.ipc, place, run.objective, run.geometry, run.iterations


def _row_order(row: Row) -> tuple[Any, ...]:
    """Coresets before what was distilled, the whole set last."""
    if not row.is_distilled:
        known = row.objective in BASELINES
        place = BASELINES.index(row.objective) if known else len(BASELINES)
        last = row.objective == WHOLE
        return row.run.dataset, last, 0 if last else row.run.ipc, -1, place
    dataset, ipc, *rest = _order(row.run)
    return dataset, False, ipc, *rest
