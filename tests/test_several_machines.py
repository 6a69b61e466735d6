"""Two worker processes on this machine, as TF_CONFIG brings them together."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from hdd_tf.distributed import cluster
from hdd_tf.distributed.cluster import Cluster, read_cluster, wait_until_all_listen
from hdd_tf.errors import InputError, InterruptedRunError
from hdd_tf.exporting.saved_sets import load_images
from hdd_tf.main import main

ROOT = pathlib.Path(__file__).parents[1]
# Five classes: the workers' shares differ.
SMALL = [
    "--dataset=digits", "--classes=0,1,2,3,4", "--ipc=1", "--width=4", "--depth=1",
    "--real_batch=8", "--checkpoint_every=4", "--steps_per_call=2", "--num_eval=0",
    "--noanalysis", "--noprogress", "--picture_every=0", "--idm_train_steps=2",
    "--idm_train_batch=16", "--idm_pool_size=5", "--num_experts=1",
    "--pretrain_epochs=1", "--expert_dir=experts", "--run_dir=run",
]  # fmt: skip
# Convolutions of other numbers of images round otherwise; one unit in the last place
# of a pixel value is 1.5e-5. Learning carries that on.
ROUNDING = 1e-3


def free_ports():
    sockets = [socket.create_server(("localhost", 0)) for _ in range(2)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Pair:
    """Both workers of one command; worker 0 is the chief."""

    def __init__(self, cwd, *arguments, of_second=(), cwds=None):
        workers = {"worker": [f"localhost:{port}" for port in free_ports()]}
        self.logs = [cwd / "log0", cwd / "log1"]
        self.processes = []
        for index, log in enumerate(self.logs):
            task = {"cluster": workers, "task": {"type": "worker", "index": index}}
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            environment["TF_CONFIG"] = json.dumps(task)
            with log.open("w") as output:
                process = subprocess.Popen(
                    [sys.executable, "-m", "hdd_tf.main", *SMALL, *arguments,
                     *(of_second if index else ())],
                    cwd=(cwds or (cwd, cwd))[index], env=environment,
                    stdout=output, stderr=output,
                )  # fmt: skip
                self.processes.append(process)

    def wait(self, seconds=240):
        """Returns both exit codes and what both said."""
        try:
            codes = [process.wait(timeout=seconds) for process in self.processes]
        finally:
            for process in self.processes:
                process.kill()
        return codes, [log.read_text() for log in self.logs]

    def wait_for(self, path):
        """Waits until a file is there."""
        deadline = time.monotonic() + 240
        while not path.exists():
            alive = all(process.poll() is None for process in self.processes)
            assert alive and time.monotonic() < deadline, self.wait(60)
            time.sleep(0.02)


def alone(cwd, *arguments):
    """Runs a command in this process, and returns its images and their iteration."""
    words = [*SMALL, *arguments, "--run_dir=alone", "--strategy=one_device"]
    with contextlib.chdir(cwd):
        assert main(["hdd_tf", *words]) == 0
    return load_images(cwd / "alone")


# What a slow start says, and what TensorFlow 2.20 writes at any level of its log.
NOT_TOLD = re.compile(r"waiting for|WARNING: All log messages before absl|I0000 ")


def told(log):
    """Returns the lines of a log that are hdd_tf's, but for those of a slow start."""
    return [line for line in log.splitlines() if not NOT_TOLD.match(line)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "objective",
    [
        "dm",
        pytest.param("idm", marks=pytest.mark.stress),
        pytest.param("dance", marks=pytest.mark.stress),
    ],
)
def test_two_workers_give_the_images_of_one_process(objective, tmp_path):
    words = [f"--objective={objective}", "--iterations=5"]
    if objective == "dance":  # The others wait while the chief scores and analyses.
        words += ["--num_eval=1", "--eval_epochs=2", "--analysis"]
    codes, said = Pair(tmp_path, *words).wait()
    assert codes == [0, 0], said
    images, iteration = load_images(tmp_path / "run")
    expected, same = alone(tmp_path, *words)
    assert iteration == same == 5
    np.testing.assert_allclose(images, expected, atol=ROUNDING)
    # The chief alone writes and tells: of the other there is one line.
    assert (tmp_path / "run/synthetic").is_dir()
    assert told(said[1]) == ["worker 1 of 2, computing on CPU:0"]


@pytest.mark.stress
@pytest.mark.parametrize(
    "more",
    [[], ["--real_bank_size=2", "--bank_over=all", f"--bank_dir={os.curdir}/banks"]],
    ids=["drawn", "bank"],
)
def test_workers_with_their_own_classes_on_disk_give_the_images_of_one(more, tmp_path):
    rng = np.random.default_rng(4)
    for label in range(7):
        folder = tmp_path / f"pets/{label}"
        folder.mkdir(parents=True)
        for name in range(10):
            pixels = rng.integers(0, 256, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{name}.png")
    words = [
        "--dataset=folder:pets", "--classes=", "--iterations=4", "--real_store=disk",
        "--data_cache=kept", *more,
    ]  # fmt: skip
    codes, said = Pair(tmp_path, *words, of_second=["--data_cache=kept1"]).wait()
    assert codes == [0, 0], said
    images, iteration = load_images(tmp_path / "run")
    expected, same = alone(tmp_path, *words)
    assert iteration == same == 4
    np.testing.assert_allclose(images, expected, atol=ROUNDING)
    # A fifth of the ten images of each class is held out for the score.
    sizes = [
        sorted(path.stat().st_size // 768 for path in (tmp_path / name).rglob("*.u8"))
        for name in ("kept", "kept1")
    ]
    assert sizes == [[7 * 2, 7 * 8], [3 * 8]]


ENDLESS = ["--objective=dm", "--iterations=10000", "--image_lr=0.01"]


def with_a_killed_worker(tmp_path):
    """Returns after which iteration a run goes on whose second worker was killed."""
    pair = Pair(tmp_path, *ENDLESS)
    pair.wait_for(tmp_path / "run/checkpoints/iteration-4.sha256.json")
    pair.processes[1].kill()
    began = time.monotonic()
    codes, said = pair.wait()
    assert time.monotonic() - began < 60
    assert codes == [75, -9]
    assert "another worker of TF_CONFIG has ended" in said[0].splitlines()[-1]
    return load_images(tmp_path / "run")[1]


@pytest.mark.stress
def test_a_killed_worker_ends_the_chief(tmp_path):
    assert 4 <= with_a_killed_worker(tmp_path) < 10000


@pytest.mark.stress
def test_after_a_killed_worker_the_same_command_goes_on(tmp_path):
    killed_at = with_a_killed_worker(tmp_path)
    words = list(ENDLESS)
    # A signal to either of them stops both, with the state saved.
    pair = Pair(tmp_path, *words)
    pair.wait_for(tmp_path / f"run/checkpoints/iteration-{killed_at + 4}.index")
    pair.processes[1].send_signal(signal.SIGTERM)
    codes, said = pair.wait()
    assert codes == [143, 143], said
    assert f"goes on from iteration {killed_at}" in said[0]
    images, stopped_at = load_images(tmp_path / "run")
    assert 4 <= killed_at < stopped_at < 10000
    words[1] = f"--iterations={stopped_at}"
    expected, _ = alone(tmp_path, *words)
    np.testing.assert_allclose(images, expected, atol=ROUNDING)


def busy_chief(tmp_path, begun, *arguments):
    """Returns a pair whose chief is long busy, once a path is there, and one waits."""
    words = ["--num_eval=1", "--eval_epochs=1000000", "--validation_fraction=0.2"]
    pair = Pair(tmp_path, *words, *arguments)
    pair.wait_for(tmp_path / begun)
    time.sleep(3)
    return pair


VALIDATING = [
    "run/checkpoints/iteration-4.sha256.json",
    "--objective=dm",
    "--iterations=10000",
    "--eval_every=4",
]
TRAINING_EXPERTS = ["experts", "--objective=dance", "--pretrain_epochs=1000000"]


@pytest.mark.stress
@pytest.mark.parametrize("words", [VALIDATING, TRAINING_EXPERTS])
def test_a_chief_that_is_stopped_while_others_wait_stops_them(words, tmp_path):
    pair = busy_chief(tmp_path, *words)
    pair.processes[0].send_signal(signal.SIGTERM)
    codes, said = pair.wait()
    # A process that only finds the other one lost ends with another code.
    assert codes == [143, 143], said
    line = "hdd_tf: stopped by SIGTERM; the same command goes on from the last"
    assert all(told(log)[-1].startswith(line) for log in said)


@pytest.mark.stress
def test_a_worker_that_waits_for_the_chief_hears_a_signal(tmp_path):
    pair = busy_chief(tmp_path, *VALIDATING)
    pair.processes[1].send_signal(signal.SIGTERM)
    assert pair.processes[1].wait(60) == 143
    # The chief goes on with what it does, also when TensorFlow has noticed the loss;
    # it too can still be stopped.
    time.sleep(16)
    assert pair.processes[0].poll() is None
    pair.processes[0].send_signal(signal.SIGTERM)
    codes, said = pair.wait(60)
    assert codes == [143, 143], said
    assert told(said[1]) == [
        "worker 1 of 2, computing on CPU:0",
        f"hdd_tf: {InterruptedRunError(signal.SIGTERM)}",
    ]


# In one process: tests/distributed/test_workers.py.
@pytest.mark.stress
def test_what_ends_the_chief_while_others_wait_ends_them_too(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/thesis.txt").write_text("not of a run")
    codes, said = Pair(tmp_path, "--iterations=4").wait()
    assert codes == [2, 2], said
    assert "holds other things" in told(said[0])[-1]
    assert "the chief (worker 0 of TF_CONFIG) has ended" in told(said[1])[-1]


@pytest.mark.stress
def test_a_worker_with_another_command_is_refused(tmp_path):
    words = ["--checkpoint_every=5"]  # Of no other use to it than to end calls there.
    codes, said = Pair(tmp_path, "--iterations=4", of_second=words).wait()
    assert codes == [2, 2], said
    assert "worker 1 of TF_CONFIG has other settings" in told(said[1])[-1]
    assert "a worker of TF_CONFIG has other settings" in told(said[0])[-1]
    assert not (tmp_path / "run/checkpoints").exists()


@pytest.mark.stress
def test_a_worker_with_other_images_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    for machine in ("a", "b"):
        for label in ("cat", "dog"):
            folder = tmp_path / machine / "pets" / label
            folder.mkdir(parents=True)
            for name in range(8):
                pixels = rng.integers(0, 256, (16, 16, 3), np.uint8)
                Image.fromarray(pixels).save(folder / f"{name}.png")
    pair = Pair(
        tmp_path, "--dataset=folder:pets", "--classes=", "--iterations=4",
        f"--run_dir={tmp_path}/run", cwds=(tmp_path / "a", tmp_path / "b"),
    )  # fmt: skip
    codes, said = pair.wait()
    assert codes == [2, 2], said
    assert "worker 1 of TF_CONFIG has other training images" in told(said[1])[-1]
    assert "a worker of TF_CONFIG has other training images" in told(said[0])[-1]
    assert not (tmp_path / "run/checkpoints").exists()


def test_a_worker_alone_names_whom_it_waits_for_and_can_be_stopped(
    tmp_path, monkeypatch, capfd
):
    ports = free_ports()
    workers = {"worker": [f"localhost:{port}" for port in ports]}
    monkeypatch.setenv("TF_CONFIG", tf_config(workers, type="worker", index=1))
    monkeypatch.chdir(tmp_path)
    tries = []

    def sleep(seconds):
        tries.append(seconds)
        if len(tries) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        assert len(tries) < 10

    monkeypatch.setattr(cluster.time, "sleep", sleep)
    monkeypatch.setattr(cluster, "_SECONDS_BEFORE_A_WORD", 0.0)
    assert main(["hdd_tf", *SMALL]) == 143
    said = capfd.readouterr()
    waits = f"waiting for worker 0 of TF_CONFIG at localhost:{ports[0]}\n"
    assert said.out == waits
    assert said.err == f"hdd_tf: {InterruptedRunError(signal.SIGTERM)}\n"
    assert not list(tmp_path.iterdir())


def test_a_port_that_is_taken_is_said():
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        two = Cluster((("localhost", port), ("localhost", 1)), 0)
        with pytest.raises(InputError, match=f"cannot listen on port {port}"):
            wait_until_all_listen(two)


def tf_config(workers, **task):
    return json.dumps({"cluster": workers, "task": task})


TWO = {"worker": ["a:1", "b:1"]}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", None),
        ("{}", None),
        (tf_config({"worker": ["a:1"]}, type="worker", index=0), None),
        (tf_config(TWO, type="worker", index=1), Cluster((("a", 1), ("b", 1)), 1)),
        (
            tf_config({"worker": ["[::1]:7", "a-b.c:65535"]}, type="worker", index=0),
            Cluster((("::1", 7), ("a-b.c", 65535)), 0),
        ),
    ],
)
def test_tf_config_is_read(text, found, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    assert read_cluster() == found


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[1]",
        tf_config(TWO),
        tf_config(TWO, type="worker", index=2),
        tf_config({**TWO, "ps": ["c:1"]}, type="worker", index=0),
        tf_config({"worker": 7}, type="worker", index=0),
        tf_config({"worker": ["a:1", 7]}, type="worker", index=0),
        tf_config({"worker": ["a:1", "b"]}, type="worker", index=0),
        tf_config({"worker": ["a:1", "a:1"]}, type="worker", index=0),
        tf_config({"worker": ["a:1", "b:65536"]}, type="worker", index=0),
        tf_config({"worker": ["a:1", "b:0"]}, type="worker", index=0),
        tf_config({"worker": ["a:1", "http://b:1"]}, type="worker", index=0),
        tf_config(TWO, type="worker", index=1.0),
        tf_config(TWO, type="worker", index=-1),
        # One worker, and a task of a cluster that was cut short.
        tf_config({"worker": ["a:1"]}, type="worker", index=1),
        tf_config({"worker": ["a:1"]}, type="ps", index=0),
    ],
)
def test_other_tf_configs_are_refused(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match="or unset it"):
        read_cluster()


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--dry_run", "unset TF_CONFIG"),
        ("--num_virtual_devices=2", "leave --strategy and --num_virtual_devices"),
    ],
)
def test_flags_that_do_not_go_with_several_machines(
    flag, said, monkeypatch, tmp_path, capfd
):
    workers = {"worker": ["localhost:1", "localhost:2"]}
    monkeypatch.setenv("TF_CONFIG", tf_config(workers, type="worker", index=0))
    monkeypatch.chdir(tmp_path)
    assert main(["hdd_tf", *SMALL, flag]) == 2
    error = capfd.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())
