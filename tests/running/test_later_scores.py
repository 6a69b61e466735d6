"""Scores that a finished run is asked for later: recorded, added to, never lost."""

import json

import pytest

from hdd_tf.arguments.command_line import parse_command_line
from hdd_tf.artifacts.evaluations import read_evaluations
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.errors import InputError
from hdd_tf.evaluation.rescore import rescore
from hdd_tf.evaluation.scorers.class_scores import without_class_scores
from hdd_tf.files.json_text import to_plain
from hdd_tf.report.collect import collect_runs
from hdd_tf.running.experiments import run_experiments
from hdd_tf.training.network_trainer import NetworkTrainer

SMALL = [
    "main", "--dataset=digits", "--ipc=1", "--width=4", "--depth=1", "--num_eval=1",
    "--eval_epochs=1", "--dsa=none", "--eval_dsa=none", "--noanalysis", "--noprogress",
    "--strategy=one_device", "--objective=random", "--whole_epochs=1",
]  # fmt: skip
pytestmark = pytest.mark.slow


def run(place, *arguments):
    words = [*SMALL, f"--run_dir={place}", *arguments]
    return to_plain(run_experiments(parse_command_line(words)))


@pytest.fixture
def trained(monkeypatch):
    """Grows with the number of images of each training of a network."""
    done, train = [], NetworkTrainer.train

    def counted(self, *arguments):
        done.append(self.num_images)
        return train(self, *arguments)

    monkeypatch.setattr(NetworkTrainer, "train", counted)
    return done


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    place = tmp_path_factory.mktemp("later") / "run"
    return place, run(place)


def test_more_networks_and_baselines_of_a_finished_run(finished, trained, capsys):
    place, first = finished
    before = (place / "result.json").read_bytes()
    more = run(place, "--num_eval=3", "--baselines=random")
    # The first network is known; the baseline needs three.
    assert trained == [10] * 5
    assert "networks to train: convnet 2, random 3" in capsys.readouterr().out
    values = more["accuracy"]["convnet"]["values"]
    assert values[:1] == first["accuracy"]["convnet"]["values"] and len(values) == 3
    # The baseline of a run that chose at random is the same set.
    assert more["baselines"]["random"]["values"] == values
    assert more["protocol"]["networks"] == 3
    assert (place / "result.json").read_bytes() == before

    # All of it is known now, by whichever command.
    del trained[:]
    assert run(place, "--num_eval=3", "--baselines=random") == more
    fewer = run(place, "--num_eval=2", "--baselines=random")
    assert fewer["accuracy"]["convnet"]["values"] == values[:2]
    assert run(place) == first
    table = rescore(str(place), ["--num_eval=3", "--noprogress"])
    assert "known already" in table and not trained
    assert len(read_evaluations(RunDirectory(place))) == 1
    assert [*(place / "tensorboard/evaluation_001").glob("events.*")]

    # Another architecture joins; the run's own stays the baselines'.
    wider = run(place, "--num_eval=2", "--eval_networks=mlp")
    assert trained == [10, 10] and set(wider["accuracy"]) == {"convnet", "mlp"}
    assert wider["protocol"]["baseline_network"] == "convnet"
    (run_,) = collect_runs([str(place)], print)
    assert [len(v) for v in run_.accuracy.values()] == [3, 2]
    assert run_.baselines == {"random": tuple(values)}

    with pytest.raises(InputError, match="--eval_epochs: 1 -> 2"):
        run(place, "--eval_epochs=2")


@pytest.mark.stress
def test_an_evaluation_is_recorded_with_what_it_is_of(finished, trained, capsys):
    place, first = finished
    there = set((place / "evaluations").glob("*"))
    with pytest.raises(InputError, match="--num_eval=0 trains no networks"):
        rescore(str(place), ["--num_eval=0"])
    table = rescore(str(place), ["--eval_epochs=2", "--num_eval=2", "--noprogress"])
    (file,) = set((place / "evaluations").glob("*")) - there
    assert [*(place / "tensorboard" / file.stem).glob("events.*")]
    assert f"recorded: {file}" in table and len(trained) == 2
    record = json.loads(file.read_text())
    assert record["protocol"]["epochs"] == 2 and record["protocol"]["networks"] == 2
    assert record["evaluation_seed"] == 0 and record["settings"]["eval_epochs"] == 2
    assert len(record["accuracy"]["convnet"]["values"]) == 2
    # A set that is named itself is scored anew, and nothing is written beside it.
    del trained[:]
    words = ["--num_eval=1", "--noprogress"]
    table = rescore(str(place / "synthetic"), words)
    assert trained == [10] and "recorded" not in table
    assert f"{first['accuracy']['convnet']['mean']:.2f}" in table

    # The report has the other protocol in a row of its own.
    epochs = {r.protocol["epochs"] for r in collect_runs([str(place)], print)}
    assert epochs == {1, 2}

    # A score that cannot be written is printed all the same.
    (place / "evaluations").rename(place / "kept")
    (place / "evaluations").symlink_to(place.parent)
    table = rescore(str(place), ["--eval_epochs=2", "--num_eval=1", "--noprogress"])
    assert "not recorded: " in table and "convnet" in table
    (place / "evaluations").unlink()
    (place / "kept").rename(place / "evaluations")


def test_other_sets_and_damaged_records_are_passed_over(finished, trained, tmp_path):
    place, first = finished
    entry = first["accuracy"]["convnet"]
    evaluations = place / "evaluations"
    evaluations.mkdir(exist_ok=True)
    many = without_class_scores(entry) | {"values": [1.0] * 9}
    foreign = {
        **first, "accuracy": {"convnet": many}, "settings": {}, "set_sha256": "other",
    }  # fmt: skip
    (evaluations / "x.json").write_text(json.dumps(foreign))
    (evaluations / "y.json").write_text("{")
    warnings = []
    run_ = collect_runs([str(place)], warnings.append)[0]
    assert 9 not in [len(values) for values in run_.accuracy.values()]
    assert warnings == [f"{evaluations}/y.json: damaged or not of hdd_tf; left out"]
    assert run(place)["accuracy"]["convnet"] == entry and not trained


@pytest.mark.stress
def test_each_seed_of_several_is_asked(tmp_path, trained):
    unscored = run(tmp_path / "runs", "--num_experiments=2", "--num_eval=0")
    assert not trained and not unscored["accuracy"]
    # A report lies in the directory of the runs.
    for name in ("report.md", "plot.png"):
        (tmp_path / "runs" / name).write_text("x")
    pooled = run(tmp_path / "runs", "--num_experiments=2")
    assert trained == [10, 10]
    assert len(pooled["accuracy"]["convnet"]["values"]) == 2
    assert pooled["protocol"]["networks"] == 1
    found = collect_runs([str(tmp_path / "runs")], print)
    assert [len(run_.accuracy["convnet"]) for run_ in found] == [1, 1]
    assert (tmp_path / "runs/report.md").read_text() == "x"
