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
import dataclasses
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

import hypothesis
import numpy as np
from hypothesis import strategies as st

from hdd_tf.analysis.finished_run import read_analysis
from hdd_tf.arguments.command_line import parse_command_line, recorded_config
from hdd_tf.artifacts.checkpoint_files import CheckpointFiles
from hdd_tf.artifacts.encodings.registry import ENCODINGS
from hdd_tf.artifacts.history import read_validation
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.sets.decoding import decode_set
from hdd_tf.artifacts.sets.distilled_set import (
    is_distilled_set,
    metadata_of_run,
    read_distilled_set,
    write_distilled_set,
)
from hdd_tf.config import identity, to_flag_file
from hdd_tf.errors import InputError, one_line
from hdd_tf.evaluation.result_text import result_table
from hdd_tf.files import checksums
from hdd_tf.files.npz_file import read_npz
from hdd_tf.reading.tfds_trust import check_features_file
from hdd_tf.report.collect import collect_runs
from hdd_tf.report.rows import group_runs, table_rows
from hdd_tf.report.table import report_text

# As a program it is found beside this file, in the tests below their root.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from benchmarks.fuzz_originals import (
    ANALYSIS,
    FEATURES,
    HISTORY,
    RECORD,
    RESULT,
    SET,
    SOURCE,
    original_metadata,
    original_sets,
)
from benchmarks.fuzz_values import (
    JSON,
    NUMBERS,
    RAW,
    TEXTS,
    edited,
    edited_bytes,
    json_file,
)

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


_flag_names = st.sampled_from(sorted(SOURCE)) | st.sampled_from(["flagfile", "undefok"])
_flag_values = (
    TEXTS
    | NUMBERS.map(str)
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
    TEXTS,
)
_flag_file = (
    st.lists(_lines, max_size=6).map(
        lambda lines: "\n".join(lines).encode("utf-8", "replace")
    )
    | RAW
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


@fed(st.data(), SET)
def set_metadata(data: st.DataObject, original: str) -> None:
    """`hdd_tf.json` of every encoding, under a right checksum."""
    whole = original_sets()[original]
    with sandbox("set_metadata") as place:
        shutil.copytree(whole, place / "set")
        value = data.draw(edited(original_metadata(original)))
        if isinstance(value, dict):
            value = checksums.seal(
                {k: v for k, v in value.items() if k != checksums.OWN_SUM}
            )
        (place / "set" / "hdd_tf.json").write_text(json.dumps(value), "utf-8")
        is_distilled_set(place / "set")
        found = decode_set(read_distilled_set(place / "set"))
        recorded_config(found.metadata["source"], [])
        write_distilled_set(place / "again", found)
        # A SavedModel takes longer than all the rest.
        found = dataclasses.replace(found, teacher=None)
        for name in ENCODINGS:
            write_distilled_set(place / name, found, name)


@fed(st.data(), SET)
def set_files(data: st.DataObject, original: str) -> None:
    """The files of every encoding, damaged under right checksums."""
    whole = original_sets()[original]
    with sandbox("set_files") as place:
        shutil.copytree(whole, place / "set")
        metadata = original_metadata(original)
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
    whole = (original_sets()["npz"] / "distilled.npz").read_bytes()
    with sandbox("archives") as place:
        # NumPy reads a head as Python's literals.
        at = whole.index(b"{'descr'")
        head = data.draw(st.just(b"") | st.text("{}[](),'\":-0x1\\ \n", max_size=60)
                         .map(str.encode))  # fmt: skip
        whole = whole[:at] + head + whole[at + len(head) :]
        (place / "x.npz").write_bytes(data.draw(edited_bytes(whole)))
        expected = {"images": (np.float32, (4, 4, 4, 1)), "labels": (np.int64, (4,))}
        with contextlib.suppress(ValueError):
            read_npz(place / "x.npz", expected)


@fed(json_file(RECORD))
def config_json(content: bytes) -> None:
    """`config.json` of a run."""
    with sandbox("config_json") as place:
        (place / "config.json").write_bytes(content)
        run = RunDirectory(place)
        record = run.read_config()
        with contextlib.suppress(InputError):
            run.check(RECORD["identity"], RECORD["data"])
        with contextlib.suppress(InputError):
            metadata_of_run(record, 3)
        recorded_config(record["config"], [])


@fed(json_file(RESULT))
def result_json(content: bytes) -> None:
    """`result.json` of a run, for a run that goes on."""
    with sandbox("result_json") as place:
        (place / "result.json").write_bytes(content)
        result = RunDirectory(place).read_result()
        if result is not None:
            result_table(result, "run").encode("utf-8")


@fed(
    st.lists(
        st.tuples(json_file(RECORD), json_file(RESULT), json_file(HISTORY)),
        max_size=2,
    )
)
def reports(runs: list[tuple[bytes, ...]]) -> None:
    """A folder of runs, for a report; one of them is whole."""
    whole = (RECORD, RESULT, HISTORY)
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


@fed(json_file(HISTORY), json_file(ANALYSIS))
def other_json(history: bytes, analysis: bytes) -> None:
    """`validation.json` and `analysis.json` of a run."""
    with sandbox("other_json") as place:
        (place / "validation.json").write_bytes(history)
        (place / "analysis.json").write_bytes(analysis)
        read_validation(place)
        ANALYSIS.items() <= read_analysis(RunDirectory(place)).items()  # noqa: B015


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
        value = data.draw(edited(json.loads(path.read_text("utf-8"))) | JSON)
        if isinstance(value, dict) and data.draw(st.booleans()):
            rest = {k: v for k, v in value.items() if k != checksums.OWN_SUM}
            value = checksums.seal(rest)
        path.write_text(json.dumps(value), "utf-8")
        files.newest_whole()


@fed(json_file(FEATURES))
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
