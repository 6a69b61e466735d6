"""A run that is stopped again and again, in every phase: nothing is lost by it."""

import json
import os
import pathlib
import pty
import re
import resource
import shutil
import subprocess
import sys
import termios
import threading
import time
from contextlib import suppress

import numpy as np
import pytest

from hdd_tf.artifacts.checkpoint_files import CheckpointFiles
from hdd_tf.artifacts.sets.distilled_set import read_distilled_set
from hdd_tf.exporting.saved_sets import load_images
from hdd_tf.main import main

ROOT = pathlib.Path(__file__).parents[1]
# DANCE, which has all phases there are; each takes a second or more.
RUN = [
    "--dataset=digits", "--classes=0,1,2", "--objective=dance", "--ipc=1", "--width=8",
    "--real_batch=8", "--iterations=60", "--dsa=color_crop_cutout", "--init=mix",
    "--image_lr=0.1", "--loss_weight=20", "--num_experts=2", "--pretrain_epochs=20",
    "--expert_dir=experts", "--picture_every=0", "--num_eval=2", "--eval_epochs=90",
    "--eval_every=40", "--validation_fraction=0.2", "--noanalysis", "--run_dir=run",
]  # fmt: skip
# A bar that has moved: 3/40, but not 0/40.
PHASES = {
    "experts": r"experts:.* [1-9]\d*/40",
    "distil": r"distil:.* [1-9]\d*/60",
    "validation": r"evaluate:.* [1-9]\d*/180",
    "evaluation": r"evaluate:.* [1-9]\d*/180",
}


def start(place):
    """Starts the run; `errors` gets what it shows in a terminal, where bars move."""
    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (24, 100))
    errors = (place / "errors").open("wb", buffering=0)
    process = subprocess.Popen(
        [sys.executable, "-m", "hdd_tf.main", *RUN],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=end,
    )
    os.close(end)

    def copy():
        # Reading fails when the last process of the terminal has ended.
        with errors, suppress(OSError), os.fdopen(terminal, "rb", buffering=0) as shown:
            while text := shown.read(2**16):
                errors.write(text)

    process.copying = threading.Thread(target=copy)
    process.copying.start()
    return process


def stop_when(process, place, reached):
    """Sends SIGTERM as soon as a condition holds; returns code and seconds."""
    try:
        deadline = time.monotonic() + 200
        while not reached():
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.005)
        began = time.monotonic()
        process.terminate()
        process.wait(60)
        process.copying.join(60)
        return process.returncode, time.monotonic() - began
    finally:
        process.kill()
        process.wait()


def second_is_refused(first, place):
    """Starts the same run where one goes on."""
    while not (place / "run/.lock").exists():
        assert first.poll() is None
        time.sleep(0.01)
    second = subprocess.run(
        [sys.executable, "-m", "hdd_tf.main", *RUN],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert second.returncode == 2 and second.stderr.count("\n") == 1
    assert f"is in use by process {first.pid} on " in second.stderr
    assert first.poll() is None


@pytest.mark.stress
def test_stopped_in_every_phase_a_run_ends_as_one_that_was_not(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    undisturbed, run = start(whole), parts / "run"
    second_is_refused(undisturbed, whole)
    for phase, bar in PHASES.items():

        def reached(phase=phase, bar=bar):
            # Both the score on the way and the last one show the same bar.
            exported = (run / "synthetic").exists()
            text = (parts / "errors").read_text()
            return re.search(bar, text) and exported == (phase == "evaluation")

        code, seconds = stop_when(start(parts), parts, reached)
        text = (parts / "errors").read_text()
        assert code == 143, text
        assert text.splitlines()[-1].startswith("hdd_tf: stopped by SIGTERM")
        print(f"{phase}: {seconds:.2f} s")
        # A call of 5 s at most; the end of the process is slow on a busy machine.
        assert seconds < 30
        if phase == "experts":
            assert list((parts / "experts").glob("*/expert_00*_unfinished.npz"))
            assert not run.exists()
        elif phase == "distil":
            assert 0 < load_images(run)[1] < 60
        elif phase == "validation":
            assert load_images(run)[1] == 40
            assert not (run / "validation.json").exists()
        else:
            assert not (run / "result.json").exists()
    last = start(parts)
    assert last.wait(200) == 0, (parts / "errors").read_text()
    assert undisturbed.wait(200) == 0, (whole / "errors").read_text()
    np.testing.assert_array_equal(
        load_images(run)[0], load_images(whole / "run")[0], strict=True
    )
    for name in ("synthetic", "synthetic_decoded"):
        mine, other = (read_distilled_set(p / name) for p in (run, whole / "run"))
        np.testing.assert_array_equal(mine.images, other.images)
    results = [
        json.loads((p / "run/result.json").read_text())["accuracy"]["convnet"]["values"]
        for p in (parts, whole)
    ]
    assert results[0] == results[1]
    scores = [
        [(score["iteration"], score["accuracy"]) for score in json.loads(text)]
        for text in ((p / "run/validation.json").read_text() for p in (parts, whole))
    ]
    assert scores[0] == scores[1] and [number for number, _ in scores[0]] == [40, 60]


WILD = [
    "hdd_tf", "--flagfile=flags/quickstart.cfg", "--classes=0,1", "--ipc=1",
    "--width=8", "--real_batch=8", "--checkpoint_every=1", "--picture_every=0",
    "--num_eval=0", "--noprogress", "--noanalysis", "--iterations=9", "--run_dir=wild",
    "--strategy=one_device", "--depth=1", "--dsa=none",
]  # fmt: skip


@pytest.mark.slow
def test_images_that_diverge_leave_the_checkpoint_from_before(
    tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    said = []
    # Again: it goes on from where they were finite, to the same end.
    for _ in range(2):
        assert main([*WILD, "--image_lr=1e30"]) == 2
        said.append(capfd.readouterr())
        images, iteration = load_images("wild")
        assert np.isfinite(images).all() and iteration == 1
    assert said[0].err == said[1].err and said[0].err.count("\n") == 1
    assert "hdd_tf: the loss of classes 0, 1 is nan in iteration 2: " in said[0].err
    assert "a lower --image_lr" in said[0].err
    assert "goes on from iteration 1" in said[1].out
    # At another rate it is another run.
    assert main([*WILD, "--image_lr=1"]) == 2
    assert "--image_lr: 1e+30 -> 1.0" in capfd.readouterr().err


TINY = [
    "--flagfile=flags/quickstart.cfg", "--ipc=1", "--width=8", "--real_batch=8",
    "--checkpoint_every=2", "--picture_every=0", "--num_eval=0", "--noprogress",
    "--noanalysis", "--strategy=one_device", "--run_dir=run",
]  # fmt: skip


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_signal_after_the_end_changes_no_exit_code(name):
    late = (
        "import atexit, os, signal, sys; from hdd_tf import main;"
        f"atexit.register(os.kill, os.getpid(), signal.{name});"
        "sys.argv = ['hdd_tf', '--ipc=0']; main.run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", late],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "--ipc" in done.stderr


@pytest.mark.stress
def test_full_disk_ends_the_command_in_one_line_and_costs_no_image(place, capfd):
    many = [*TINY, "--ipc=5", "--iterations=5", "--keep_checkpoints=0"]
    assert main(["hdd_tf", *many, "--run_dir=whole"]) == 0
    # As if it had come to iteration 2.
    shutil.copytree("whole", "run", ignore=shutil.ignore_patterns("result.json"))
    CheckpointFiles("run/checkpoints").keep(2, 0)
    assert load_images("run")[1] == 2
    largest = (place / "run/config.json").stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    capfd.readouterr()
    # No file may grow beyond this, as on a full disk; a checkpoint wants more.
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * largest, limits[1]))
    try:
        assert main(["hdd_tf", *many]) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    error = capfd.readouterr().err
    assert error.count("\n") == 1 and "goes on from iteration 2" in error
    assert load_images("run")[1] == 2
    assert main(["hdd_tf", *many]) == 0
    for name in ("run", "whole"):
        assert load_images(name)[1] == 5
    images = [load_images(name)[0] for name in ("run", "whole")]
    np.testing.assert_array_equal(*images, strict=True)


@pytest.mark.stress
def test_run_that_is_killed_at_random_moments_ends_as_one_that_was_not(tmp_path):
    program = ROOT / "benchmarks/random_kills.py"
    arguments = ["--commands", "bank", "--kills", "3", "--place", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, str(program), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("3 kills, ")
