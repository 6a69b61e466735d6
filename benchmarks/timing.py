"""Times things in turn in one process, so that their ratios mean something.

Absolute times depend on the machine and on what else it does. What runs right after one
another meets nearly the same machine, so ratios are taken within a round.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

# Does a piece of work, and returns when it is done.
Run = Callable[[], object]


class Ratio(NamedTuple):
    """A ratio of times over several rounds.

    Attributes:
        median: Median of the rounds' ratios.
        low: Smallest of them.
        high: Largest of them.
    """

    median: float
    low: float
    high: float


def seconds(run: Run) -> float:
    """Returns the wall time of one call."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def time_in_turn(
    runs: Mapping[str, Run], rounds: int, warm_up: int = 2
) -> dict[str, list[float]]:
    """Times every run once in each round.

    Args:
        runs: What to time, by name.
        rounds: Number of rounds, >= 1. Every other one goes through the names backward,
            so that none always comes after the same one.
        warm_up: Number of calls of each run that come first and do not count: they
            trace graphs and take memory. A bank has a graph to be filled and one to
            be read, so that two are the least.

    Returns:
        The seconds of each run in every round, in the order of the rounds.
    """
    for run in runs.values():
        for _ in range(warm_up):
            run()
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        names = list(runs) if number % 2 == 0 else list(reversed(runs))
        for name in names:
            taken[name].append(seconds(runs[name]))
    return taken


def ratio(first: list[float], second: list[float]) -> Ratio:
    """Returns the ratio of two runs' times, round by round.

    Args:
        first: Seconds of the run above the line, one for each round.
        second: Seconds of the run below the line.
    """
    ratios = [a / b for a, b in zip(first, second, strict=True)]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))
