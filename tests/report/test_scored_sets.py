"""Scores of sets that other programs made, in the report."""

import json

import pytest

from hdd_tf.arguments.command_line import recorded_config
from hdd_tf.artifacts.evaluations import scoring_settings
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.errors import InputError
from hdd_tf.evaluation.score_file import write_score
from hdd_tf.report.collect import collect_runs
from hdd_tf.report.page.document import page
from hdd_tf.report.rows import group_runs, table_rows
from hdd_tf.report.table import report_text, table_cells
from tests.report.run_directories import score, write_run

RANDOM = {"random": {**score((50.0, 52.0)), "mean": 51.0, "std": 1.0}}


def refuse(line):
    raise AssertionError(line)


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run", result={"baselines": RANDOM})


def write_scored(run, path, name="x.npz", values=(60.0, 62.0)):
    """Writes a score of another program's set by the protocol of a run."""
    directory = RunDirectory(run)
    record = directory.read_config()
    result = json.loads(directory.result_file.read_text())
    config = recorded_config(record["config"], [])
    of_set = {"mean": 61.0, "std": 1.0, "per_class": [61.0] * 10}
    of_other = {"objective": "", "geometry": "none", "iterations": 0}
    scored = {
        **result,
        **of_other,
        "accuracy": {"convnet": {**score(values), **of_set}},
        "settings": scoring_settings(config),
        "data": record["data"],
        "set": {"name": name, "sha256": "0" * 64, "described": "as it is"},
    }
    write_score(str(path), scored)
    return path


def rows_of(*places, warn=refuse):
    return table_rows(group_runs(collect_runs(list(map(str, places)), warn), warn))


def test_a_score_stands_beside_runs(tmp_path, run):
    file = write_scored(run, tmp_path / "score.json")
    rows = rows_of(file, run, file)
    _, cells = table_cells(rows)
    titles = [row[3] for row in cells]
    assert sorted(titles) == ["DM+HDD", "random real images", "set x.npz"]
    of_set = cells[titles.index("set x.npz")]
    assert of_set[1:3] == ["fashion_mnist", "1"]
    assert of_set[4:] == [
        *("convnet", "61.00 ± 1.00", "-", "1 x 2", "-", of_set[9]),
        "no published number",
    ]
    # The same networks on the same images, in one row with those of the run.
    assert rows[titles.index("random real images")].values == [(50.0, 52.0)]
    assert f"set x.npz: `{file}` (seed 0)" in report_text(rows)


def test_sets_of_one_name_are_rows_of_their_own(tmp_path, run):
    files = [write_scored(run, tmp_path / f"{n}.json", "dm") for n in range(2)]
    titles = [row[3] for row in table_cells(rows_of(*files))[1]]
    assert titles.count("set dm") == 2 and "DM" not in titles


def test_the_page_has_what_is_known_of_a_set(tmp_path, run):
    file = write_scored(run, tmp_path / "score.json")
    made = page(group_runs(collect_runs([str(file)], refuse), refuse), refuse)
    assert "its scores alone are known" in made and "61.00" in made
    assert "Classes" in made and "Distilled images" not in made


@pytest.mark.parametrize(
    "change",
    [
        {"format": "score"},
        {"settings": None},
        {"accuracy": {"convnet": {"values": [101.0]}}},
        {"set": []},
        {"settings": {"validation_fraction": "x"}},
    ],
)
def test_damaged_scores_are_passed_over(tmp_path, run, change):
    file = write_scored(run, tmp_path / "score.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    said = []
    titles = [row[3] for row in table_cells(rows_of(file, run, warn=said.append))[1]]
    assert "set x.npz" not in titles and "DM+HDD" in titles
    (line,) = said
    assert line.startswith(f"{file}: ") and line.endswith("; skipped")


def test_no_file_is_replaced(tmp_path, run):
    file = tmp_path / "score.json"
    file.write_text("mine")
    with pytest.raises(InputError, match=r"cannot be written \(File exists\): the sco"):
        write_scored(run, file)
    assert file.read_text() == "mine"
