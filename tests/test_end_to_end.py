"""The command, from its words to its files: real runs on the embedded digits.

One run is stopped and resumed in processes of its own. The others share this one,
where TensorFlow is loaded already.
"""

import contextlib
import io
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hdd_tf.artifacts.sets.distilled_set import read_distilled_set
from hdd_tf.evaluate.__main__ import main as evaluate_main
from hdd_tf.evaluation.scorers.network_scorer import NetworkScorer
from hdd_tf.exporting.saved_sets import load_images
from hdd_tf.exporting.sets import _is_more, set_of_run
from hdd_tf.main import main
from hdd_tf.report.__main__ import main as report_main

# Among the first to start, see conftest.py.
pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[1]
# A fraction of the quickstart: one block of iterations takes about a second.
TINY = [
    "--flagfile=flags/quickstart.cfg",
    "--ipc=2",
    "--width=16",
    "--real_batch=30",
    "--iterations=20",
    "--steps_per_call=2",
    "--checkpoint_every=6",
    "--picture_every=10",
    "--log_every=4",
    "--num_eval=2",
    "--eval_epochs=60",
    "--baselines=random",
    "--noprogress",
    # tests/analysis has its own runs.
    "--noanalysis",
]
# Where nothing need be learnt, a small network is traced sooner.
SMALLEST = ["--width=4", "--depth=1", "--dsa=none", "--eval_dsa=none"]

# Points of accuracy; over seeds 0-4 the gain was 8.7, 4.1, 15.3, 7.5 and 10.8.
MARGIN = 2


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def run(arguments, *, cwd, program=main):
    """Runs a command in this process, from the directory `cwd`."""
    words = ["hdd_tf", *map(str, arguments)]
    if program is main:  # Not over the logical devices of tests/conftest.py.
        words.append("--strategy=one_device")
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = program(words)
    return Done(code, out.getvalue(), err.getvalue())


def start(arguments, *, cwd):
    """Starts the command as users do, from a directory that is not the clone."""
    return subprocess.Popen(
        [sys.executable, "-m", "hdd_tf.main", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One finished run, started from a directory that is not the clone."""
    cwd = tmp_path_factory.mktemp("elsewhere")
    done = run([*TINY, "--run_dir=run"], cwd=cwd)
    assert done.returncode == 0, done.stderr
    return cwd / "run", done


def test_distilled_images_beat_random_ones(finished):
    directory, done = finished
    result = json.loads((directory / "result.json").read_text())
    distilled = result["accuracy"]["convnet"]
    assert len(distilled["values"]) == 2
    assert np.mean(distilled["values"]) == pytest.approx(distilled["mean"], abs=1e-3)
    assert distilled["mean"] > result["baselines"]["random"]["mean"] + MARGIN
    assert f"{distilled['mean']:.2f}" in done.stdout


def test_run_directory_holds_what_is_promised(finished):
    directory, _ = finished
    found = {path.name for path in directory.iterdir()}
    assert found == {
        "config.json", "flags.cfg", "checkpoints", "tensorboard", "pictures",
        "synthetic", "result.json",
    }  # fmt: skip
    assert {path.name for path in (directory / "pictures").iterdir()} == {
        "init.png", "iter_000010.png", "iter_000020.png", "final.png", "confusion.png",
    }  # fmt: skip
    tags = set()
    for path in (directory / "tensorboard").glob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            tags |= {value.tag for value in event.summary.value}
    assert {
        "loss", "gradient_norm", "image/min", "image/max", "seconds_per_iteration",
        "synthetic", "accuracy/test_convnet", "loss_per_class/7",
        "accuracy_per_class/7", "confusion",
    } <= tags  # fmt: skip


def test_export_holds_the_images_of_the_last_checkpoint(finished):
    directory, _ = finished
    images, iteration = load_images(directory)
    stored = read_distilled_set(directory)
    assert iteration == 20
    np.testing.assert_array_equal(stored.images, images.reshape(20, 32, 32, 1))
    np.testing.assert_array_equal(stored.labels, np.repeat(np.arange(10), 2))


def test_finished_run_is_not_repeated_and_not_overwritten(finished):
    directory, _ = finished
    before = {p: p.stat().st_mtime_ns for p in directory.rglob("*") if p.is_file()}
    again = run([*TINY, "--run_dir=run"], cwd=directory.parent)
    assert again.returncode == 0, again.stderr
    assert "already finished" in again.stdout
    other = run([*TINY, "--run_dir=run", "--seed=5"], cwd=directory.parent)
    assert other.returncode == 2
    assert "--seed: 0 -> 5" in other.stderr and other.stderr.count("\n") == 1
    after = {p: p.stat().st_mtime_ns for p in directory.rglob("*") if p.is_file()}
    changed = {p.name for p in before if after.get(p) != before[p]}
    assert changed <= {"flags.cfg"} and set(before) == set(after)


def test_interrupted_run_resumes_to_the_same_images(finished, tmp_path):
    directory, _ = finished
    arguments = [*TINY, "--run_dir=run", "--num_eval=0"]
    process = start(arguments, cwd=tmp_path)
    try:
        deadline = time.monotonic() + 300
        while not (tmp_path / "run/pictures/init.png").exists():
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 143, errors
    assert "SIGTERM" in errors and errors.count("\n") == 1
    _, iteration = load_images(tmp_path / "run")
    assert 0 < iteration < 20
    resumed = run(arguments, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert f"goes on from iteration {iteration}" in resumed.stdout
    for mine, expected in zip(
        (read_distilled_set(tmp_path / "run").images, load_images(tmp_path / "run")[0]),
        (read_distilled_set(directory).images, load_images(directory)[0]),
        strict=True,
    ):
        np.testing.assert_array_equal(mine, expected)


def test_flags_of_a_run_repeat_it(finished, tmp_path):
    directory, _ = finished
    repeated = run(
        [f"--flagfile={directory / 'flags.cfg'}", "--num_eval=0"],
        cwd=tmp_path,
    )
    assert repeated.returncode == 0, repeated.stderr
    (again,) = (tmp_path / "runs").iterdir()
    np.testing.assert_array_equal(load_images(again)[0], load_images(directory)[0])


def test_existing_set_is_scored_without_distilling(finished):
    directory, _ = finished
    score = run(
        [directory / "synthetic", "--num_eval=1", "--nobaselines", "--noprogress"],
        cwd=directory.parent,
        program=evaluate_main,
    )
    assert score.returncode == 0, score.stderr
    first = json.loads((directory / "result.json").read_text())["accuracy"]["convnet"]
    # The same seed, files and protocol: the same network as the run's first.
    assert f"{first['values'][0]:.2f}" in score.stdout


@pytest.mark.stress
def test_a_longer_target_extends_a_finished_run(finished, tmp_path):
    arguments = [*TINY, "--run_dir=run", "--num_eval=0", "--iterations=4", *SMALLEST]
    assert run(arguments, cwd=tmp_path).returncode == 0
    extended = run([*arguments, "--iterations=8"], cwd=tmp_path)
    assert extended.returncode == 0, extended.stderr
    assert load_images(tmp_path / "run")[1] == 8
    direct = run([*arguments, "--iterations=8", "--run_dir=direct"], cwd=tmp_path)
    assert direct.returncode == 0, direct.stderr
    np.testing.assert_array_equal(
        load_images(tmp_path / "run")[0], load_images(tmp_path / "direct")[0]
    )


def test_validation_split_chooses_and_the_choice_is_exported(tmp_path, monkeypatch):
    held_out, splits = NetworkScorer._held_out, []

    def noted(self, split):
        splits.append(split)
        return held_out(self, split)

    monkeypatch.setattr(NetworkScorer, "_held_out", noted)
    arguments = [
        *TINY, "--run_dir=run", "--iterations=8", "--eval_every=4", "--num_eval=1",
        "--eval_epochs=5", "--select=best_validation", "--nobaselines", *SMALLEST,
    ]  # fmt: skip
    done = run(arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    # The test split is read once, at the end.
    assert splits == ["validation", "validation", "test"]
    result = json.loads((tmp_path / "run/result.json").read_text())
    stored = read_distilled_set(tmp_path / "run")
    assert result["selected"] == stored.metadata["selected"]
    assert result["selected"]["iteration"] in (4, 8)
    assert f"iteration {result['selected']['iteration']}" in done.stdout
    # Whoever exports the run gets that set, and after more iterations newer images.
    exported = set_of_run(tmp_path / "run")
    assert exported.metadata["selected"] == result["selected"]
    np.testing.assert_array_equal(exported.images, stored.images)
    assert not _is_more(tmp_path / "run/synthetic", 9)
    accuracies = {}
    for path in (tmp_path / "run/tensorboard").glob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                if value.tag == "accuracy/validation":
                    accuracies[event.step] = float(tf.make_ndarray(value.tensor))
    assert set(accuracies) == {4, 8}
    best = result["selected"]["validation_accuracy"]
    assert max(accuracies.values()) == pytest.approx(best, abs=1e-3)


@pytest.mark.stress
def test_run_goes_on_before_a_damaged_checkpoint_to_the_same_images(finished, tmp_path):
    directory, _ = finished
    arguments = [*TINY, "--run_dir=run", "--num_eval=0"]
    shorter = run([*arguments, "--iterations=12"], cwd=tmp_path)
    assert shorter.returncode == 0, shorter.stderr
    (tmp_path / "run/checkpoints/checkpoint").write_text("")
    (damaged,) = (tmp_path / "run/checkpoints").glob("iteration-12.data-*")
    damaged.write_bytes(damaged.read_bytes()[:-1])
    resumed = run(arguments, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert "iteration 6 is the newest whole checkpoint" in resumed.stdout
    assert "goes on from iteration 6" in resumed.stdout
    np.testing.assert_array_equal(
        load_images(tmp_path / "run")[0], load_images(directory)[0]
    )


def test_several_experiments_pool_their_networks(tmp_path):
    done = run(
        [*TINY, "--run_dir=run", "--num_experiments=2", "--iterations=2",
         *SMALLEST, "--num_eval=1", "--eval_epochs=3", "--nobaselines"],
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    parts = [
        json.loads((tmp_path / f"run/seed{seed}/result.json").read_text())
        for seed in (0, 1)
    ]
    pooled = json.loads((tmp_path / "run/result.json").read_text())
    assert pooled["seeds"] == [0, 1]
    values = [v for part in parts for v in part["accuracy"]["convnet"]["values"]]
    assert pooled["accuracy"]["convnet"]["values"] == values and len(values) == 2
    first, second = (load_images(tmp_path / f"run/seed{s}")[0] for s in (0, 1))
    assert not np.array_equal(first, second)


def test_dry_run_measures_a_bank_too_and_writes_nothing(tmp_path):
    done = run(
        [*TINY, *SMALLEST, "--run_dir=run", "--dry_run", "--real_bank_size=2"],
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    for word in ("time per iteration", "memory", "to be written", "nothing was"):
        assert word in done.stdout
    assert not list(tmp_path.iterdir())
    # While it fills, and after.
    assert re.search(r"\d s in 2 of them, \d+\.\d+ s in \d+ of them \(", done.stdout)


def test_init_from_an_earlier_set_continues_from_its_images(finished, tmp_path):
    directory, _ = finished
    # A rate of almost nothing: what comes out is what went in.
    done = run(
        [*TINY, f"--init=from:{directory}", "--run_dir=run", "--iterations=1",
         "--image_lr=1e-9", "--num_eval=0", *SMALLEST],
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(
        load_images(tmp_path / "run")[0], load_images(directory)[0], atol=1e-3
    )


def test_a_folder_whose_images_changed_meanwhile_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for number in range(8):
            pixels = rng.integers(0, 256, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"pets/{label}/{number}.png")
    words = [
        "--dataset=folder:pets", "--ipc=1", "--width=4", "--depth=2", "--real_batch=4",
        "--num_eval=0", "--noanalysis", "--noprogress", "--run_dir=run", "--dsa=none",
    ]  # fmt: skip
    first = run([*words, "--iterations=2"], cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    record = (tmp_path / "run/config.json").read_bytes()
    changed = tmp_path / "pets/dog/3.png"
    was = changed.read_bytes()
    # As bright as before: mean and standard deviation say nothing of it.
    Image.open(changed).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(changed)
    words.append("--iterations=4")
    again = run(words, cwd=tmp_path)
    assert again.returncode == 2
    assert "(different training_sha256): give the same data" in again.stderr
    assert (tmp_path / "run/config.json").read_bytes() == record
    changed.write_bytes(was)
    goes_on = run(words, cwd=tmp_path)
    assert goes_on.returncode == 0 and "from iteration 2" in goes_on.stdout


DANCE = [
    "--dataset=digits", "--objective=dance", "--ipc=1", "--width=8", "--real_batch=16",
    "--iterations=6", "--dsa=color_crop_cutout", "--init=mix", "--image_lr=0.1",
    "--loss_weight=20", "--num_experts=1", "--pretrain_epochs=1", "--noprogress",
    "--expert_dir=experts", "--picture_every=0", "--num_eval=1", "--eval_epochs=5",
    "--noanalysis",
]  # fmt: skip


@pytest.mark.stress
def test_dance_from_experts_to_the_report(tmp_path):
    arguments = [
        *DANCE,
        "--eval_every=3",
        "--validation_fraction=0.2",
        "--best_on_test",
    ]
    rehearsed = run([*arguments, "--dry_run"], cwd=tmp_path)
    assert rehearsed.returncode == 0, rehearsed.stderr
    assert "experts             1 x 1 epochs" in rehearsed.stdout
    assert not list(tmp_path.iterdir())
    done = run([*arguments, "--run_dir=run"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    stored = read_distilled_set(tmp_path / "run/synthetic")
    decoded = read_distilled_set(tmp_path / "run/synthetic_decoded")
    assert (len(stored.images), len(decoded.images)) == (10, 40)
    # Images live in [0, 1].
    assert stored.images.min() >= 0 and stored.images.max() <= 255
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert result["accuracy"]["convnet"]["images"] == 40 and result["ipc"] == 1
    assert result["protocol"]["name"] == "dance"
    assert result["protocol"]["cutmix"] == 0.5
    # The test split's choice is told, and chooses nothing.
    assert result["selected"] == "last iteration"
    assert result["best_on_test"]["candidates"] == 2
    assert result["best_on_test"]["mean"] >= result["accuracy"]["convnet"]["mean"]
    assert "chosen by the test split: not a result" in done.stdout
    (experts,) = (tmp_path / "experts").iterdir()
    written = {path: path.stat().st_mtime_ns for path in experts.iterdir()}
    again = run([*DANCE, "--validation_fraction=0.2", "--geometry=euclidean",
                 "--run_dir=plain", "--num_eval=0"], cwd=tmp_path)  # fmt: skip
    assert again.returncode == 0, again.stderr
    # Both runs share the expert.
    assert {path: path.stat().st_mtime_ns for path in experts.iterdir()} == written
    report = run(["run", "plain"], cwd=tmp_path, program=report_main)
    assert report.returncode == 0, report.stderr
    assert "DANCE" in report.stdout


def test_idm_run_and_its_score_again(tmp_path):
    arguments = [
        "--dataset=digits", "--objective=idm", "--ipc=1", "--width=8",
        "--real_batch=16", "--iterations=4", "--idm_train_steps=2", "--depth=1",
        "--idm_train_batch=32", "--idm_pool_size=5", "--image_lr=0.5",
        "--loss_weight=20", "--num_eval=1", "--eval_epochs=5", "--noprogress",
        "--run_dir=run", "--noanalysis", "--dsa=none", "--eval_dsa=none",
    ]  # fmt: skip
    done = run(arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "distilled (convnet)           40" in done.stdout
    accuracy = json.loads((tmp_path / "run/result.json").read_text())["accuracy"]
    # The stored set is decoded before networks train on it: the same score.
    again = run(["run"], cwd=tmp_path, program=evaluate_main)
    assert again.returncode == 0, again.stderr
    assert f"{accuracy['convnet']['mean']:.2f}" in again.stdout
