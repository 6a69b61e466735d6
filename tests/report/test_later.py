"""Tests of what the report makes of scores that were made after a run."""

import json

import pytest

from hdd_tf.report.collect import collect_runs
from hdd_tf.report.records import read_run
from tests.report.run_directories import score, write_later, write_run
from tests.report.tables import table


def rows(place):
    """Accuracy, sets and epochs of each row, by what was trained on and the network."""
    columns = "test accuracy (%)", "sets x networks", "evaluation epochs"
    return {
        (row["trained on"], row["network"]): tuple(
            row[column].split(" of ")[0] for column in columns
        )
        for row in table(place)
    }


def later(path, *flags, values=(70.0, 71.0, 75.0), **result):
    return write_later(path, *flags, accuracy={"convnet": score(values)}, **result)


def test_more_networks_join_the_run_and_each_counts_once(tmp_path):
    run = write_run(tmp_path / "a")
    for _ in range(2):  # The same networks, scored twice.
        later(run, "--num_eval=3")
    # Fewer of them than are known already.
    later(run, "--num_eval=1", values=(70.0,))
    assert rows(tmp_path) == {("DM+HDD", "convnet"): ("72.00 ± 2.16", "1 x 3", "1,001")}
    # Another evaluation seed draws other networks of the same set.
    later(run, "--seed=9", values=(80.0,))
    assert rows(tmp_path) == {("DM+HDD", "convnet"): ("74.00 ± 3.94", "1 x 4", "1,001")}
    # The run's own result is as it was.
    assert read_run(run).accuracy == {"convnet": (70.0, 71.0)}


def test_seeds_are_pooled_although_one_was_asked_for_more(tmp_path):
    write_run(tmp_path / "a", values=(70.0,))
    later(write_run(tmp_path / "b", "--seed=1"), "--num_eval=3")
    found = rows(tmp_path)[("DM+HDD", "convnet")]
    assert found[1] == "2 x 1-3"


def test_another_protocol_has_a_row_of_its_own(tmp_path):
    for seed in (0, 1):
        run = write_run(tmp_path / f"{seed}", f"--seed={seed}")
        later(run, "--eval_epochs=300", f"--num_eval={3 + seed}")
    found = sorted(
        (row["evaluation epochs"], row["sets x networks"]) for row in table(tmp_path)
    )
    assert found == [
        ("1,001", "2 x 2 of 5 x 5"),
        ("300 of 1,001", "2 x 3 of 5 x 5"),
    ]


def test_architectures_and_baselines_join(tmp_path):
    run = write_run(tmp_path / "a", result={"baselines": {"random": score((50.0,))}})
    write_later(
        run,
        "--eval_networks=resnet18,convnet",
        accuracy={"resnet18": score((60.0,))},
        baselines={"random": score((40.0,)), "whole": score((90.0,))},
    )
    write_later(run, baselines={"whole": score((93.0,))}, accuracy={})
    longer = {"whole": score((94.0,))}
    write_later(run, "--whole_epochs=60", baselines=longer, accuracy={})
    found = sorted(
        (row["trained on"], row["network"], row["test accuracy (%)"].split()[0])
        for row in table(tmp_path)
    )
    whole = "whole training set"
    assert found == [
        ("DM+HDD", "convnet", "70.50"),
        ("DM+HDD", "resnet18", "60.00"),
        ("random real images", "convnet", "50.00"),
        ("random real images", "resnet18", "40.00"),
        (whole, "convnet", "93.00"),
        (whole, "convnet", "94.00"),
        (whole, "resnet18", "90.00"),
    ]


def test_a_run_that_was_scored_later_alone(tmp_path):
    run = write_run(tmp_path / "a", "--num_eval=0", result={"accuracy": {}})
    later(run, "--num_eval=3")
    assert rows(tmp_path)[("DM+HDD", "convnet")][1] == "1 x 3"


def test_evaluations_of_other_images_and_damaged_ones_are_left_out(tmp_path):
    run = write_run(tmp_path / "a")
    later(run, "--num_eval=3")
    file = later(run, "--num_eval=3")
    record = json.loads(file.read_text())
    del record["settings"]["seed"], record["protocol"]
    file.write_text(json.dumps(record))
    warnings = []
    table(tmp_path, warnings)
    assert warnings == [f"{file}: damaged or not of hdd_tf; left out"]
    # The run went on, and has another set.
    (run / "synthetic/hdd_tf.json").write_text("{ }")
    assert rows(tmp_path)[("DM+HDD", "convnet")][1] == "1 x 2"
    assert file.exists()


@pytest.mark.parametrize(("first", "second", "names"), [
    ("/a/cats", "/b/cats", {"folder:cats (1111111)", "folder:cats (2222222)"}),
    ("/a/flowers", "./flowers/", {"folder:flowers"}),
    ("/a/cats", "/b/dogs", {"folder:cats", "folder:dogs"}),
])  # fmt: skip
def test_own_images_are_told_apart_by_what_they_are(tmp_path, first, second, names):
    same = names == {"folder:flowers"}
    for seed, place, digit in ((0, first, "1"), (1, second, "1" if same else "2")):
        write_run(
            tmp_path / f"{seed}", f"--dataset=folder:{place}", f"--seed={seed}",
            data={"test_sha256": digit * 64},
            result={"dataset": f"folder:{place.rstrip('/').rsplit('/')[-1]}"},
        )  # fmt: skip
    assert {row["data set"] for row in table(tmp_path)} == names
    # The same images, however their folder was written, are pooled.
    assert len(table(tmp_path)) == (1 if same else 2)
    assert len(collect_runs([str(tmp_path)], print)) == 2
