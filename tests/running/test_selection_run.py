"""A coreset run on the digits: the same files and scores as a distilled set's."""

import json

import numpy as np
import pytest

from hdd_tf.arguments.command_line import parse_command_line
from hdd_tf.artifacts.sets.distilled_set import read_distilled_set
from hdd_tf.errors import InputError
from hdd_tf.evaluation.rescore import rescore
from hdd_tf.files.json_text import to_plain
from hdd_tf.main import main
from hdd_tf.reading.loading import load_dataset
from hdd_tf.running import selection_run
from hdd_tf.running.experiments import run_experiments
from hdd_tf.selection.coresets import CoresetSelector

pytestmark = pytest.mark.slow

SMALL = [
    "main", "--dataset=digits", "--ipc=3", "--width=4", "--depth=1",
    "--coreset_epochs=2", "--num_eval=1", "--eval_epochs=2", "--eval_dsa=none",
    "--noprogress", "--strategy=one_device", "--noanalysis",
]  # fmt: skip


def run(place, *arguments):
    words = [*SMALL, f"--run_dir={place}", *arguments]
    return to_plain(run_experiments(parse_command_line(words)))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    place = tmp_path_factory.mktemp("coreset") / "run"
    return place, run(place, "--objective=herding", "--baselines=herding,random")


def test_run_directory_has_the_files_of_a_run_without_checkpoints(finished):
    place, result = finished
    assert {path.name for path in place.iterdir()} == {
        "config.json", "flags.cfg", "tensorboard", "pictures", "synthetic",
        "result.json",
    }  # fmt: skip
    pictures = {path.name for path in (place / "pictures").iterdir()}
    assert pictures == {"final.png", "confusion.png"}
    assert json.loads((place / "result.json").read_text()) == result
    assert (result["objective"], result["geometry"]) == ("herding", "none")
    assert (result["iterations"], result["ipc"]) == (0, 3)
    assert set(result["seconds"]) == {"select", "evaluate"}


def test_export_holds_real_images_and_says_which(finished):
    place, _ = finished
    stored = read_distilled_set(place)
    training = load_dataset("digits", None, 0.0, 0).training
    rows = np.array(stored.metadata["training_rows"])
    np.testing.assert_array_equal(stored.images, training.images[rows])
    np.testing.assert_array_equal(stored.labels, training.labels[rows])
    np.testing.assert_array_equal(stored.labels, np.repeat(np.arange(10), 3))


def test_an_export_of_a_selection_tells_how_it_was_made(finished, tmp_path, capsys):
    place, _ = finished
    words = [f"--run_dir={place}", f"--output_dir={tmp_path / 'npz'}", "--encoding=npz"]
    assert main(["hdd_tf", "export", *words]) == 0
    said = f"digits, real images by herding, npz: {tmp_path / 'npz'}\n"
    assert said in capsys.readouterr().out


def test_baseline_of_that_name_is_the_same_set(finished):
    _, result = finished
    accuracy = result["accuracy"]["convnet"]
    assert accuracy["values"] == result["baselines"]["herding"]["values"]
    assert result["baselines"]["random"]["images"] == accuracy["images"] == 30


def test_finished_run_is_not_repeated(finished, capsys, monkeypatch):
    place, result = finished
    monkeypatch.setattr(CoresetSelector, "select", None)
    assert run(place, "--objective=herding", "--baselines=herding,random") == result
    assert "already finished" in capsys.readouterr().out
    with pytest.raises(InputError, match="--objective: herding -> k_center"):
        run(place, "--objective=k_center", "--baselines=herding,random")


@pytest.mark.stress
def test_a_run_stopped_while_scoring_only_scores(finished, monkeypatch):
    place, result = finished
    (place / "result.json").unlink()
    monkeypatch.setattr(selection_run, "_export", None)
    again = run(place, "--objective=herding", "--baselines=herding,random")
    assert (
        again["accuracy"]["convnet"]["values"]
        == (result["accuracy"]["convnet"]["values"])
    )
    assert again["seconds"]["select"] == result["seconds"]["select"]


def test_existing_coreset_is_scored_as_any_set(finished):
    place, result = finished
    table = rescore(str(place), ["--nobaselines"])
    assert "real images chosen by herding" in table
    assert f"{result['accuracy']['convnet']['mean']:.2f}" in table


@pytest.mark.stress
def test_several_seeds_pool(tmp_path):
    result = run(tmp_path / "run", "--objective=random", "--num_experiments=2")
    assert result["seeds"] == [0, 1] and result["iterations"] == 0
    first, second = (read_distilled_set(tmp_path / f"run/seed{s}") for s in (0, 1))
    assert not np.array_equal(first.images, second.images)


@pytest.mark.parametrize(
    "name, said", [("forgetting", "a network trains"), ("random", "no network")]
)
def test_dry_run_measures_and_writes_nothing(tmp_path, capsys, name, said):
    assert run(tmp_path / "run", f"--objective={name}", "--dry_run") is None
    printed = capsys.readouterr().out
    assert said in printed and f"30 are chosen by {name}" in printed
    assert not list(tmp_path.iterdir())


def test_more_images_than_a_class_has_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match="--ipc=500 is more than the smallest class"):
        run(tmp_path / "run", "--objective=herding", "--ipc=500")
    assert not list(tmp_path.iterdir())
