"""Joins what was scored later to a run: more networks, baselines, other protocols."""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import Any

from hdd_tf.config import names_of, rows
from hdd_tf.methods.registry import WHOLE
from hdd_tf.report.run import Run
from hdd_tf.settings.scope import Scope

# Settings of which a finished run can be asked for others: more of the same scores.
_ASKED_LATER = tuple(name for name, row in rows().items() if row.is_asked_later)
# Settings that make other networks of the same protocol, or none.
_NOT_OF_PROTOCOL = {*_ASKED_LATER, *names_of(Scope.SEED)}

# A baseline's name, its architecture, and the epochs of the whole training set.
_Baseline = tuple[str, Any, Any]


def joined(base: Run, later: Sequence[Run]) -> list[Run]:
    """Returns what the report has of one run.

    Args:
        base: The run, as its result.json has it.
        later: Its later evaluations, each as if it were the run's result.

    Returns:
        The run with the networks and baselines that were added to its own protocol,
        then one entry for each other protocol that it was scored by. An entry has
        every network once: those of one evaluation seed are the same in each
        evaluation. Entries without any score are left out.
    """
    groups: dict[str, list[Run]] = {}
    for run in (base, *later):
        settings = {k: v for k, v in run.settings.items() if k not in _NOT_OF_PROTOCOL}
        groups.setdefault(json.dumps(settings, sort_keys=True), []).append(run)
    found: list[Run] = []
    for members in groups.values():
        scored = [run for run in members if run.accuracy or run.baselines]
        if scored:
            found += _one_protocol(base, scored)
    return found


def _one_protocol(base: Run, members: Sequence[Run]) -> list[Run]:
    """Joins evaluations that differ in networks, baselines and evaluation seed."""
    first = members[0]
    # Seeds are pooled although one was asked for more than another.
    settings = first.settings | {
        name: base.settings[name] for name in _NOT_OF_PROTOCOL if name in base.settings
    }
    protocol = dict(first.protocol)
    if protocol.get("networks") and base.protocol.get("networks"):
        protocol["networks"] = base.protocol["networks"]
    accuracy = {
        network: _values((run, run.accuracy.get(network)) for run in members)
        for network in dict.fromkeys(name for run in members for name in run.accuracy)
    }
    main = dataclasses.replace(
        first,
        accuracy=accuracy,
        baselines={},
        fair_score=next((run.fair_score for run in members if run.fair_score), None),
        settings=settings,
        protocol=protocol,
    )
    baselines: dict[_Baseline, list[tuple[Run, tuple[float, ...]]]] = {}
    for run in members:
        for name, values in run.baselines.items():
            baselines.setdefault(_which(name, run), []).append((run, values))
    found = [main]
    for which, scores in baselines.items():
        # With another seed a coreset is another set.
        seed = scores[0][0].settings["seed"]
        same = [(run, values) for run, values in scores if run.settings["seed"] == seed]
        entry = next((run for run in found if _which(which[0], run) == which), None)
        if entry is None:
            of_baseline = {"baseline_network": which[1], "whole_epochs": which[2]}
            entry = dataclasses.replace(
                main,
                accuracy={},
                baselines={},
                fair_score=None,
                protocol={**main.protocol, **of_baseline},
            )
            found.append(entry)
        entry.baselines[which[0]] = _values(same)
    return found


def _which(name: str, run: Run) -> _Baseline:
    """Returns what tells one baseline of a set from another."""
    protocol = run.protocol
    epochs = protocol.get("whole_epochs") if name == WHOLE else None
    return name, protocol.get("baseline_network"), epochs


def _values(
    scores: Iterable[tuple[Run, tuple[float, ...] | None]],
) -> tuple[float, ...]:
    """Returns the accuracies of all networks, the longest list of each seed."""
    longest: dict[Any, tuple[float, ...]] = {}
    for run, values in scores:
        seed = run.settings["seed"]
        if len(values or ()) > len(longest.get(seed, ())):
            longest[seed] = values or ()
    return tuple(value for values in longest.values() for value in values)
