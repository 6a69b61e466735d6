"""The fair score of whole runs on the digits: at once, later, and of several seeds."""

import json
import re

import pytest

from hdd_tf.arguments.command_line import parse_command_line
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.evaluation.evaluation import Evaluation
from hdd_tf.evaluation.rescore import rescore
from hdd_tf.evaluation.scorers.class_scores import without_class_scores
from hdd_tf.files.json_text import to_plain
from hdd_tf.reading.loading import load_configured_dataset
from hdd_tf.report.__main__ import main as report
from hdd_tf.running.experiments import run_experiments
from hdd_tf.running.finished import keep_fair_score
from hdd_tf.running.outputs import score_export
from hdd_tf.training.network_trainer import NetworkTrainer
from tests.whole_result import FAIR_SCORE, whole_result

pytestmark = pytest.mark.slow

SMALL = [
    "main", "--dataset=digits", "--ipc=1", "--width=4", "--depth=1", "--iterations=2",
    "--real_batch=4", "--num_eval=1", "--eval_epochs=3", "--whole_epochs=1",
    "--dsa=flip", "--eval_dsa=flip", "--picture_every=0", "--noanalysis",
    "--noprogress", "--strategy=one_device", "--baselines=random",
]  # fmt: skip


def run(place, *arguments):
    words = [*SMALL, f"--run_dir={place}", *arguments]
    return to_plain(run_experiments(parse_command_line(words)))


@pytest.fixture
def trainings(monkeypatch):
    """Grows with the number of images of each training of a network."""
    done = []
    train = NetworkTrainer.train

    def counted(self, *arguments):
        done.append(self.num_images)
        return train(self, *arguments)

    monkeypatch.setattr(NetworkTrainer, "train", counted)
    return done


def without_times(entry):
    if not isinstance(entry, dict):
        return entry
    return {k: without_times(v) for k, v in entry.items() if k != "seconds"}


def test_a_finished_run_is_asked_for_it_later(tmp_path, trainings, capsys):
    plain = run(tmp_path / "run")
    assert "fair_score" not in plain
    del trainings[:]
    scored = run(tmp_path / "run", "--fair_score")
    # The set's and the random images' accuracies are there already.
    assert sorted(trainings) == [10, 10, 1297]
    assert "only its fair score is missing" in capsys.readouterr().out
    assert json.loads((tmp_path / "run/result.json").read_text()) == scored
    entry = scored["fair_score"]
    for name, score in (
        ("distilled", plain["accuracy"]["convnet"]),
        ("random", plain["baselines"]["random"]),
    ):
        assert entry["accuracy"][name] == without_class_scores(score)
    rest = {k: v for k, v in scored.items() if k != "fair_score"}
    assert without_times(rest) == without_times(plain)
    assert scored["seconds"]["evaluate"] >= plain["seconds"]["evaluate"]
    del trainings[:]
    assert run(tmp_path / "run", "--fair_score") == scored
    # A later start without the flag keeps it too.
    assert run(tmp_path / "run") == scored and not trainings
    line = f"label-robust score {entry['lrs']:.4f}"
    assert capsys.readouterr().out.count(line) == 2
    # Scored again, the set has the same one.
    assert line in rescore(str(tmp_path / "run"), ["--fair_score"])


def test_it_is_kept_for_the_same_set_only(tmp_path):
    directory = RunDirectory(tmp_path)
    new = whole_result()
    assert keep_fair_score(directory, new) == new
    directory.write_result(new | {"fair_score": FAIR_SCORE})
    assert keep_fair_score(directory, new) == new | {"fair_score": FAIR_SCORE}
    for other in (
        {"iterations": 6},
        {"selected": {"iteration": 4, "validation_accuracy": 80.0}},
        {"accuracy": {"convnet": {"values": [70.0, 71.5]}}},
        {"accuracy": {}},
    ):
        assert keep_fair_score(directory, new | other) == new | other
    measured = new | {"fair_score": {"network": "convnet", "lrs": 0.1}}
    assert keep_fair_score(directory, measured) == measured


@pytest.mark.stress
def test_of_several_seeds_and_of_coresets(tmp_path, capsys):
    pooled = run(
        tmp_path / "runs", "--objective=random", "--fair_score", "--num_experiments=2"
    )
    entry = pooled["fair_score"]
    each = [
        json.loads((tmp_path / f"runs/seed{seed}/result.json").read_text())
        for seed in (0, 1)
    ]
    # A random set is no better than random.
    assert [result["fair_score"]["ior"] for result in each] == [0.0, 0.0]
    assert [result["fair_score"]["b"] for result in each] == [0.0, 0.0]
    assert (entry["ars"], entry["ars_std"]) == (0.268941, 0.0)
    assert entry["lrs_values"] == [result["fair_score"]["lrs"] for result in each]
    assert f"{entry['lrs']:.4f} ± {entry['lrs_std']:.4f}" in capsys.readouterr().out
    assert report(["report", str(tmp_path / "runs")]) == 0
    text = capsys.readouterr().out
    # Cells are padded to the width of their column.
    assert re.search(r"\| +LRS +\| +ARS +\|", text)
    assert re.search(r"\| +0\.2689 ± 0\.0000 \|", text)
    assert "not with DD-Ranking's tables" in text
    # One that is finished is not scored for what it has.
    again = run(
        tmp_path / "runs", "--objective=random", "--fair_score", "--num_experiments=2"
    )
    assert again == pooled

    # Of one seed, by itself: it keeps its score.
    words = "--objective=random", f"--run_dir={tmp_path / 'runs/seed1'}", "--seed=1"
    config = parse_command_line([*SMALL, *words])
    experiment = RunContext.build(config, load_configured_dataset(config))
    evaluation = Evaluation(config, experiment.dataset, experiment.network)
    score = score_export(experiment, evaluation, 0, {})
    assert score["fair_score"] == each[1]["fair_score"]
    stored = json.loads((tmp_path / "runs/seed1/result.json").read_text())
    assert stored["fair_score"] == each[1]["fair_score"]
