"""Tests of finding and reading runs, whatever state they are in."""

import json
import os
import subprocess

import pytest

from hdd_tf.errors import InputError
from hdd_tf.report.collect import collect_runs
from hdd_tf.report.records import read_run
from tests.report.run_directories import write_run


def collect(*places):
    warnings = []
    runs = collect_runs([str(place) for place in places], warnings.append)
    return [run.path for run in runs], warnings


def test_runs_are_found_at_and_below_a_directory_once(tmp_path):
    one = write_run(tmp_path / "runs/one")
    several = [
        write_run(tmp_path / f"runs/many/seed{k}", f"--seed={k}") for k in (0, 1)
    ]
    (tmp_path / "runs/many/result.json").write_text('{"iterations": 20000}')
    (tmp_path / "runs/.trash").mkdir()
    (tmp_path / "runs/.trash/config.json").write_text("{")
    (tmp_path / "runs/loop").symlink_to(tmp_path / "runs")
    expected = [*several, one]
    assert collect(tmp_path / "runs") == (expected, [])
    assert collect(tmp_path / "runs/many", tmp_path / "runs") == (expected, [])
    assert collect(one, one) == ([one], [])


def test_folders_may_be_nested_deeper_than_python_recurses(tmp_path, monkeypatch):
    # Made by relative names, since not every system has such long ones.
    monkeypatch.chdir(tmp_path)
    for _ in range(1200):
        os.mkdir("d")
        os.chdir("d")
    os.chdir(tmp_path)
    one = write_run(tmp_path / "d/one")
    try:
        assert collect(tmp_path) == ([one], [])
    finally:  # Python could not delete it.
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


def test_what_a_run_says(tmp_path):
    path = write_run(
        tmp_path / "run",
        *("--dataset=svhn_cropped:3.1.0", "--seed=4", "--geometry=euclidean"),
        values=(20.5, 21.5),
        history=((10, 1.5, 60.0),),
        result={"baselines": {"random": {"values": [14.0]}}},
    )
    run = read_run(path)
    assert (run.dataset, run.ipc, run.seed) == ("svhn_cropped", 1, 4)
    assert (run.objective, run.geometry) == ("dm", "euclidean")
    assert (run.iterations, run.seconds) == (20_000, 104.0)
    assert run.accuracy == {"convnet": (20.5, 21.5)}
    assert run.baselines == {"random": (14.0,)}
    assert run.history[0].accuracy == 60.0


def test_unusable_runs_are_named_in_one_line_and_skipped(tmp_path):
    good = write_run(tmp_path / "good")
    write_run(tmp_path / "a").joinpath("config.json").write_text("{")
    write_run(tmp_path / "b").joinpath("result.json").write_text('{"iterations": ')
    write_run(tmp_path / "c").joinpath("result.json").unlink()
    write_run(tmp_path / "d", result={"accuracy": {}})
    write_run(tmp_path / "e", result={"accuracy": {"convnet": {"values": [None]}}})
    write_run(tmp_path / "f", result={"accuracy": [1, 2]})
    write_run(tmp_path / "g", result={"seconds": 3})
    write_run(tmp_path / "i", result={"fair_score": {"lrs": 26.9}})
    (tmp_path / "h").mkdir()
    (tmp_path / "h/result.json").write_text("{}")
    paths, warnings = collect(tmp_path)
    assert paths == [good]
    for name, problem in [
        ("a", "config.json is damaged or not of hdd_tf"),
        ("b", "result.json is damaged"),
        ("c", "not finished"),
        ("d", "not scored (--num_eval=0)"),
        ("e", "result.json lacks what a report needs"),
        ("f", "result.json lacks what a report needs"),
        ("g", "result.json lacks what a report needs"),
        ("h", "a result.json without config.json or runs"),
        ("i", "result.json lacks what a report needs"),
    ]:
        assert f"{tmp_path / name}: {problem}; skipped" in warnings
    assert len(warnings) == 9


def test_a_run_of_an_older_version_is_read(tmp_path):
    """Facts that later versions added are missing, and mean their defaults."""
    path = write_run(tmp_path / "old")
    record = json.loads((path / "config.json").read_text())
    del record["identity"]["lift"]
    record["data"] = None
    (path / "config.json").write_text(json.dumps(record))
    result = json.loads((path / "result.json").read_text())
    for name in ("baselines", "protocol", "seconds", "selected", "evaluation_seed"):
        del result[name]
    (path / "result.json").write_text(json.dumps(result))
    run = read_run(path)
    assert run.settings["lift"] == "expmap0"
    assert (run.seconds, run.baselines, run.protocol, run.data) == (None, {}, {}, {})


@pytest.mark.parametrize("name", ["missing", "file", "x" * 5000, "a\0b"])
def test_a_place_that_is_no_directory_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is not a directory"):
        collect(name)


def test_nothing_finished_is_refused(tmp_path):
    with pytest.raises(InputError, match="no finished run in"):
        collect(tmp_path)
