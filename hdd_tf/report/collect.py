"""Finds run directories and reads their results."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Iterator, Sequence

from hdd_tf.errors import InputError
from hdd_tf.evaluation.score_file import SUFFIX
from hdd_tf.report.records import Warn, is_own, read_runs, read_scored_set
from hdd_tf.report.run import Run


def collect_runs(places: Sequence[str], warn: Warn) -> list[Run]:
    """Reads all finished runs at and below some directories.

    Args:
        places: Run directories, directories of `--num_experiments`, folders of such
            directories, or files of scores (`evaluation/score_file.py`).
        warn: Callback that receives one line for each place that cannot be used.

    Returns:
        The runs, each once, and again for each other protocol that it was scored by
        later. Own data sets of one name and other images have different names here.

    Raises:
        InputError: a place does not exist, or none holds a finished run.
    """
    runs = []
    seen: set[object] = set()
    for place in places:
        if place.lower().endswith(SUFFIX) and os.path.isfile(place):
            runs += _scored_sets(pathlib.Path(place), seen, warn)
            continue
        if not os.path.isdir(place):
            raise InputError(
                f"{place!r} is not a directory: name run directories or folders of "
                "them, or files of scores"
            )
        for path in _run_directories(pathlib.Path(place), seen, warn):
            try:
                runs += read_runs(path, warn)
            except InputError as error:
                warn(f"{error}; skipped")
    if not runs:
        raise InputError(
            f"no finished run in {', '.join(places)}: name directories that "
            "python -m hdd_tf.main wrote to (--run_dir) and finished"
        )
    return _told_apart(runs)


def _scored_sets(path: pathlib.Path, seen: set[object], warn: Warn) -> list[Run]:
    """Returns the score in a file, if it is not damaged, and not in `seen`."""
    if path.resolve() in seen:
        return []
    seen.add(path.resolve())
    try:
        return [read_scored_set(path)]
    except InputError as error:
        warn(f"{error}; skipped")
        return []


def _told_apart(runs: Sequence[Run]) -> list[Run]:
    """Returns the runs, with different names for different images of one name."""
    images = collections.defaultdict(set)
    for run in runs:
        images[run.dataset].add(run.data.get("test_sha256"))
    return [
        dataclasses.replace(run, dataset=f"{run.dataset} ({str(checksum)[:7]})")
        if is_own(run.dataset)
        and len(images[run.dataset]) > 1
        and (checksum := run.data.get("test_sha256"))
        else run
        for run in runs
    ]


def _run_directories(
    place: pathlib.Path, seen: set[object], warn: Warn
) -> Iterator[pathlib.Path]:
    """Yields the run directories at and below a directory, except those in `seen`."""
    waiting = [place]  # Folders may be nested deeper than Python's recursion.
    while waiting:
        place = waiting.pop()
        try:
            status = place.stat()
            # One look, where resolving a path looks at each of its folders.
            folder = status.st_dev, status.st_ino
            if folder in seen:
                continue
            seen.add(folder)
            if (place / "config.json").is_file():
                yield place
                continue
            # Hidden ones are half-written, or nobody's runs.
            children = sorted(
                path
                for path in place.iterdir()
                if path.is_dir() and not path.name.startswith(".")
            )
            # The result of --num_experiments lies beside its runs, which say it all.
            if not children and (place / "result.json").is_file():
                warn(f"{place}: a result.json without config.json or runs; skipped")
        except OSError as error:
            warn(f"{place}: cannot be read ({error.strerror}); skipped")
            continue
        waiting += reversed(children)
