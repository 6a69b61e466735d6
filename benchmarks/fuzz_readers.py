"""Feeds what may come from anywhere to the readers: lines, JSON, records, archives.

python benchmarks/fuzz_readers.py --minutes 10

A reader may return, or raise InputError with a message of one line; it may not raise
anything else, take long, or touch what lies outside the directory it is given.
tests/test_fuzz_readers.py runs a few cases of each property. A failure is printed with
the smallest input that Hypothesis finds for it, and the exit code is 1.
"""

import argparse
import collections
import contextlib
import io
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import numpy as np
from hypothesis import strategies as st

from hdd_tf.analysis.of_run import read_analysis
from hdd_tf.artifacts import checksums
from hdd_tf.artifacts.checkpoint_files import CheckpointFiles
from hdd_tf.artifacts.decoding import decode_set
from hdd_tf.artifacts.distilled_set import (
    DistilledSet,
    is_distilled_set,
    metadata_of_run,
    read_distilled_set,
    write_distilled_set,
)
from hdd_tf.artifacts.encodings.npz_file import read_npz
from hdd_tf.artifacts.encodings.registry import ENCODINGS
from hdd_tf.artifacts.history import read_validation
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.command_line import parse_command_line, recorded_config
from hdd_tf.config import Config, identity, to_flag_file, to_json
from hdd_tf.data.tfds_trust import check_features_file
from hdd_tf.errors import InputError, one_line
from hdd_tf.evaluate.report import result_table
from hdd_tf.report.collect import collect_runs
from hdd_tf.report.rows import group_runs, table_rows
from hdd_tf.report.table import report_text

_SECONDS = 20
CASES: collections.Counter[str] = collections.Counter()
_FEEDS: dict[Callable, tuple[st.SearchStrategy, ...]] = {}


@contextlib.contextmanager
def sandbox(name: str) -> Iterator[pathlib.Path]:
    """Gives a directory; nothing beside it may change, and all has to end soon.

    What is read there may be refused by an InputError; nothing else may be raised.
    """
    CASES[name] += 1
    before = pathlib.Path.cwd()
    with tempfile.TemporaryDirectory() as place:
        root = pathlib.Path(place)
        (root / "inside").mkdir()
        (root / "secret").write_text("precious", "utf-8")

        def end(number: int, frame: object) -> None:
            raise TimeoutError(f"{name} takes more than {_SECONDS} s")

        handler = signal.signal(signal.SIGALRM, end)
        signal.alarm(_SECONDS)
        os.chdir(root / "inside")
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                yield root / "inside"
        except InputError as error:
            assert one_line(error).isprintable()
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, handler)
            os.chdir(before)
        assert {path.name for path in root.iterdir()} == {"inside", "secret"}
        assert (root / "secret").read_text("utf-8") == "precious"


def fed(*strategies: st.SearchStrategy) -> Callable[[Callable], Callable]:
    """Notes what a property is to be fed with, an argument each."""

    def note(test: Callable) -> Callable:
        _FEEDS[test] = strategies
        return test

    return note


# What there is to feed.

_texts = st.text(st.characters(), max_size=12) | st.sampled_from(
    ["", "..", "/dev/zero", "../../secret", "a\0b", "\n\x1b[2J", "\ud800", "x" * 5000]
)
_numbers = st.one_of(
    st.integers(-3, 20),
    st.sampled_from([10**9, 2**31, 2**63, 10**15, 10**400, -(10**400)]),
    st.floats(),
    st.booleans(),
)
# Of every kind of number that some reader could trip over, and a few other things.
_EXTREMES = st.sampled_from(
    [10**400, -(10**400), 2**63, -1, 0, True, None, "x", [], {}, float("nan"), 1e400]
)
_json = st.recursive(
    st.none() | _numbers | _texts,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3)
    ),
    max_leaves=6,
)
_raw = st.sampled_from(
    [b"", b"{]", b"[" * 100_000, b"\xff\xfe{}", b"null", b"9" * 5000, b"[]", b"7"]
) | st.binary(max_size=40)


def _places(value: Any, at: tuple = ()) -> Iterator[tuple]:
    """Yields the path to every value in a nest."""
    items: Any = []
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value[:3])
    for key, item in items:
        yield (*at, key)
        yield from _places(item, (*at, key))


@st.composite
def edited(draw: Callable, whole: Any) -> Any:
    """Draws a copy of a nest in which a few values are others, or are not there."""
    value = json.loads(json.dumps(whole))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(value))
        if not places:
            return draw(_json)
        *path, last = draw(st.sampled_from(places))
        holder = value
        for key in path:
            holder = holder[key]
        if isinstance(holder, dict) and draw(st.integers(0, 4)) == 0:
            del holder[last]
        else:
            # Not `one_of`, which would give each branch of _json as much.
            holder[last] = draw(draw(st.sampled_from([_EXTREMES, _texts, _json])))
    return value


def edited_bytes(whole: bytes) -> st.SearchStrategy[bytes]:
    """Returns a strategy of copies of a file with damage."""
    places = st.integers(0, len(whole) - 1)

    def damage(edits: list[tuple[int, bytes]], end: int) -> bytes:
        data = bytearray(whole)
        for place, patch in edits:
            data[place : place + len(patch)] = patch
        return bytes(data[:end])

    patches = st.lists(st.tuples(places, st.binary(max_size=9)), max_size=4)
    return st.builds(damage, patches, places | st.just(len(whole)))


def json_file(whole: Any) -> st.SearchStrategy[bytes]:
    """Returns a strategy of JSON files like one, and of files that are none."""
    files = edited(whole).map(lambda value: json.dumps(value).encode())
    return st.sampled_from([files] * 5 + [_raw]).flatmap(lambda strategy: strategy)


# The originals.

_CONFIG = Config(dataset="digits", ipc=2, iterations=3)
_SOURCE = to_json(_CONFIG)
_RECORD = {
    "config": _SOURCE,
    "identity": identity(_CONFIG),
    "data": {
        "name": "digits",
        "label_names": ["a", "b"],
        "mean": [0.5],
        "std": [0.2],
        "training_images": 4,
        "test_images": 2,
    },
    "environment": {"libraries": {}},
    "later_environments": [],
}
_SCORE = {"mean": 50.0, "std": 1.0, "values": [50.0, 51.0], "images": 4, "seconds": 1.0}
_FAIR = {
    **{key: 0.5 for key in ("lrs", "ars", "a", "b", "hlr", "ior", "w")},
    **{"network": "convnet", "networks": 2, "whole_epochs": 3},
    "accuracy": {"distilled": _SCORE, "whole": _SCORE},
}
_RESULT = {
    **{"dataset": "digits", "ipc": 2, "objective": "dm", "geometry": "hyperbolic"},
    **{"seed": 0, "iterations": 3, "evaluation_seed": 0},
    **{"accuracy": {"convnet": _SCORE}, "baselines": {"random": _SCORE}},
    "selected": {"iteration": 2, "validation_accuracy": 40.0},
    "protocol": {"name": "dm", "epochs": 3, "whole_epochs": 4, "networks": 2},
    **{"seconds": {"distil": 1.0, "evaluate": 2.0}, "fair_score": _FAIR},
    "best_on_test": {**_SCORE, "iteration": 2, "candidates": 3},
}
_HISTORY = [{"iteration": 1, "seconds": 0.5, "accuracy": 30.0}]
_ANALYSIS = {"iterations": 3, "settings": {"encoder_epochs": 2}}
_FEATURES = {
    "pythonClassName": "tensorflow_datasets.core.features.features_dict.FeaturesDict",
    "featuresDict": {"features": {"label": {"classLabel": {"numClasses": "2"}}}},
}


def _original_sets() -> dict[str, pathlib.Path]:
    """Writes a small set in every encoding; it stays until the process ends."""
    place = tempfile.TemporaryDirectory()
    _KEPT.append(place)
    metadata = {
        **{"dataset": "digits", "label_names": ["a", "b"], "mean": [0.5]},
        **{"std": [0.2], "objective": "dm", "geometry": "hyperbolic"},
        "source": _SOURCE,
    }
    images = np.arange(2 * 2 * 4 * 4, dtype=np.float32).reshape(2, 2, 4, 4, 1)
    paths = {name: pathlib.Path(place.name, name) for name in ENCODINGS}
    for name, path in paths.items():
        write_distilled_set(
            path, DistilledSet.from_class_images(images, metadata), name
        )
    return paths


_KEPT: list[tempfile.TemporaryDirectory] = []
_SETS = _original_sets()
_METADATA = {
    name: json.loads((path / "hdd_tf.json").read_text("utf-8"))
    for name, path in _SETS.items()
}
_ENCODING = st.sampled_from(sorted(_SETS))


# The properties.

_flag_names = st.sampled_from(sorted(_SOURCE)) | st.sampled_from(
    ["flagfile", "undefok"]
)
_flag_values = (
    _texts
    | _numbers.map(str)
    | st.sampled_from(
        [
            "a.cfg",
            "b.cfg",
            "c.cfg",
            "quickstart",
            ".",
            f"{10**400}/1",
            "1/0",
            "true",
            "-1/3",
        ]
    )
)
_lines = st.one_of(
    st.builds("--{}={}".format, _flag_names, _flag_values),
    st.builds("--flagfile={}.cfg".format, st.sampled_from("abc")),
    _texts,
)
_flag_file = (
    st.lists(_lines, max_size=6).map(
        lambda lines: "\n".join(lines).encode("utf-8", "replace")
    )
    | _raw
)


@fed(st.tuples(_flag_file, _flag_file, _flag_file), st.lists(_lines))
def flag_files(files: tuple[bytes, ...], words: list[str]) -> None:
    """Flag files that name each other, and words of a command line."""
    with sandbox("flag_files") as place:
        for name, content in zip("abc", files, strict=True):
            (place / f"{name}.cfg").write_bytes(content)
        config = parse_command_line(["main", "--flagfile=a.cfg", *words])
        (place / "again.cfg").write_text(to_flag_file(config), "utf-8")
        again = parse_command_line(["main", "--flagfile=again.cfg"])
        assert identity(again) == identity(config)


@fed(st.data(), _ENCODING)
def set_metadata(data: st.DataObject, encoding: str) -> None:
    """`hdd_tf.json` of every encoding, under a right checksum."""
    with sandbox("set_metadata") as place:
        shutil.copytree(_SETS[encoding], place / "set")
        value = data.draw(edited(_METADATA[encoding]))
        if isinstance(value, dict):
            value = checksums.seal(
                {k: v for k, v in value.items() if k != checksums.OWN_SUM}
            )
        (place / "set" / "hdd_tf.json").write_text(json.dumps(value), "utf-8")
        is_distilled_set(place / "set")
        found = decode_set(read_distilled_set(place / "set"))
        recorded_config(found.metadata["source"], [])
        for name in ENCODINGS:
            write_distilled_set(place / name, found, name)


@fed(st.data(), _ENCODING)
def set_files(data: st.DataObject, encoding: str) -> None:
    """The images of every encoding, damaged under right checksums."""
    with sandbox("set_files") as place:
        shutil.copytree(_SETS[encoding], place / "set")
        metadata = _METADATA[encoding]
        name = data.draw(st.sampled_from(sorted(metadata["files"])))
        path = place / "set" / name
        path.write_bytes(data.draw(edited_bytes(path.read_bytes())))
        files = checksums.describe_files(place / "set", metadata["files"])
        value = {k: v for k, v in metadata.items() if k != checksums.OWN_SUM}
        sealed = checksums.seal({**value, "files": files})
        (place / "set" / "hdd_tf.json").write_text(json.dumps(sealed), "utf-8")
        decode_set(read_distilled_set(place / "set"))


@fed(st.data())
def archives(data: st.DataObject) -> None:
    """Archives of arrays, damaged; experts are read by the same reader."""
    with sandbox("archives") as place:
        whole = (_SETS["npz"] / "distilled.npz").read_bytes()
        # NumPy reads a head as Python's literals.
        at = whole.index(b"{'descr'")
        head = data.draw(st.just(b"") | st.text("{}[](),'\":-0x1\\ \n", max_size=60)
                         .map(str.encode))  # fmt: skip
        whole = whole[:at] + head + whole[at + len(head) :]
        (place / "x.npz").write_bytes(data.draw(edited_bytes(whole)))
        expected = {"images": (np.float32, (4, 4, 4, 1)), "labels": (np.int64, (4,))}
        with contextlib.suppress(ValueError):
            read_npz(place / "x.npz", expected)


@fed(json_file(_RECORD))
def config_json(content: bytes) -> None:
    """`config.json` of a run."""
    with sandbox("config_json") as place:
        (place / "config.json").write_bytes(content)
        run = RunDirectory(place)
        record = run.read_config()
        with contextlib.suppress(InputError):
            run.check(_RECORD["identity"], _RECORD["data"])
        with contextlib.suppress(InputError):
            metadata_of_run(record, 3)
        recorded_config(record["config"], [])


@fed(json_file(_RESULT))
def result_json(content: bytes) -> None:
    """`result.json` of a run, for a run that goes on."""
    with sandbox("result_json") as place:
        (place / "result.json").write_bytes(content)
        result = RunDirectory(place).read_result()
        if result is not None:
            result_table(result, "run").encode("utf-8")


@fed(
    st.lists(
        st.tuples(json_file(_RECORD), json_file(_RESULT), json_file(_HISTORY)),
        max_size=2,
    )
)
def reports(runs: list[tuple[bytes, ...]]) -> None:
    """A folder of runs, for a report; one of them is whole."""
    whole = (_RECORD, _RESULT, _HISTORY)
    with sandbox("reports") as place:
        found = [tuple(json.dumps(value).encode() for value in whole), *runs]
        # Any part alone may be what is wrong.
        found += [(found[0][0], run[1], run[2]) for run in runs]
        found += [(run[0], found[0][1], run[2]) for run in runs]
        for number, contents in enumerate(found):
            (place / f"run{number}").mkdir()
            names = ("config.json", "result.json", "validation.json")
            for name, content in zip(names, contents, strict=True):
                (place / f"run{number}" / name).write_bytes(content)
        said: list[str] = []
        rows = table_rows(group_runs(collect_runs(["."], said.append), said.append))
        report_text(rows).encode("utf-8")


@fed(json_file(_HISTORY), json_file(_ANALYSIS))
def other_json(history: bytes, analysis: bytes) -> None:
    """`validation.json` and `analysis.json` of a run."""
    with sandbox("other_json") as place:
        (place / "validation.json").write_bytes(history)
        (place / "analysis.json").write_bytes(analysis)
        read_validation(place)
        _ANALYSIS.items() <= read_analysis(RunDirectory(place)).items()  # noqa: B015


@fed(st.data())
def checkpoint_sums(data: st.DataObject) -> None:
    """`iteration-N.sha256.json` of a checkpoint."""
    with sandbox("checkpoint_sums") as place:
        names = ("iteration-3.index", "iteration-3.data-00000-of-00001")
        for name in names:
            (place / name).write_bytes(b"state")
        files = CheckpointFiles(place)
        files.seal(3)
        path = place / "iteration-3.sha256.json"
        value = data.draw(edited(json.loads(path.read_text("utf-8"))) | _json)
        if isinstance(value, dict) and data.draw(st.booleans()):
            rest = {k: v for k, v in value.items() if k != checksums.OWN_SUM}
            value = checksums.seal(rest)
        path.write_text(json.dumps(value), "utf-8")
        files.newest_whole()


@fed(json_file(_FEATURES))
def features_json(content: bytes) -> None:
    """`features.json` of a prepared set."""
    with sandbox("features_json") as place:
        (place / "features.json").write_bytes(content)
        check_features_file(place)


PROPERTIES = (
    *(flag_files, set_metadata, set_files, archives, config_json, result_json),
    *(reports, other_json, checkpoint_sums, features_json),
)


def run_property(test: Callable, cases: int, seed: int | None = None) -> None:
    """Runs some cases of a property.

    Args:
        test: One of PROPERTIES.
        cases: How many.
        seed: Of the draw; None: always the same cases.

    Raises:
        Exception: whatever a reader raised for the smallest input found.
    """
    limits = hypothesis.settings(
        max_examples=cases,
        deadline=None,
        database=None,
        derandomize=seed is None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    # Made anew: Hypothesis lets a test have its limits once.
    runner = limits(hypothesis.given(*_FEEDS[test])(test))
    (runner if seed is None else hypothesis.seed(seed)(runner))()


def main() -> int:
    """Runs all properties in turn until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    failed: collections.Counter[str] = collections.Counter()
    seed = options.seed
    while time.monotonic() < end:
        seed += 1
        for test in PROPERTIES:
            if failed[test.__name__] >= 3 or time.monotonic() > end:
                continue
            try:
                run_property(test, 100, seed)
            except Exception:
                failed[test.__name__] += 1
                print(f"--- {test.__name__}, seed {seed}")
                traceback.print_exc(file=sys.stdout)
                sys.stdout.flush()
    for name, count in CASES.items():
        print(f"{name}: {count:,} cases, {failed[name]} failures")
    print(f"{CASES.total():,} cases, {failed.total()} failures")
    return 1 if failed.total() else 0


if __name__ == "__main__":
    sys.exit(main())
