"""Two worker processes on this machine, as TF_CONFIG brings them together."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from hdd_tf.distillation.checkpoints import load_images
from hdd_tf.distillation.workers import several_workers
from hdd_tf.errors import InputError

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

    def __init__(self, cwd, *arguments):
        cluster = {"worker": [f"localhost:{port}" for port in free_ports()]}
        self.logs = [cwd / "log0", cwd / "log1"]
        self.processes = []
        for index, log in enumerate(self.logs):
            task = {"cluster": cluster, "task": {"type": "worker", "index": index}}
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            environment["TF_CONFIG"] = json.dumps(task)
            with log.open("w") as output:
                process = subprocess.Popen(
                    [sys.executable, "-m", "hdd_tf.main", *SMALL, *arguments],
                    cwd=cwd, env=environment, stdout=output, stderr=output,
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
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "hdd_tf.main", *SMALL, *arguments, "--run_dir=alone"],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return load_images(cwd / "alone")


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["idm", "dance"])
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
    assert said[1] == "worker 1 of 2, computing on CPU:0\n"


@pytest.mark.slow
def test_a_killed_worker_ends_the_chief_and_the_same_command_goes_on(tmp_path):
    words = ["--objective=dm", "--iterations=10000", "--image_lr=0.01"]
    pair = Pair(tmp_path, *words)
    pair.wait_for(tmp_path / "run/checkpoints/iteration-4.sha256.json")
    pair.processes[1].kill()
    began = time.monotonic()
    codes, said = pair.wait()
    assert time.monotonic() - began < 60
    assert codes == [2, -9]
    assert "another worker of TF_CONFIG has ended" in said[0].splitlines()[-1]
    _, killed_at = load_images(tmp_path / "run")
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


def tf_config(cluster, **task):
    return json.dumps({"cluster": cluster, "task": task})


TWO = {"worker": ["a:1", "b:1"]}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", False),
        ("{}", False),
        (tf_config({"worker": ["a:1"]}, type="worker", index=0), False),
        (tf_config(TWO, type="worker", index=1), True),
    ],
)
def test_tf_config_is_read(text, found, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    assert several_workers() is found


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[1]",
        tf_config(TWO),
        tf_config(TWO, type="worker", index=2),
        tf_config({**TWO, "ps": ["c:1"]}, type="worker", index=0),
        tf_config({"worker": 7}, type="worker", index=0),
    ],
)
def test_other_tf_configs_are_refused(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match="or unset it"):
        several_workers()


def test_flags_that_do_not_go_with_several_machines(monkeypatch, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment["TF_CONFIG"] = json.dumps(
        {"cluster": {"worker": ["localhost:1", "localhost:2"]},
         "task": {"type": "worker", "index": 0}}
    )  # fmt: skip
    for flag, said in (
        ("--dry_run", "unset TF_CONFIG"),
        ("--num_virtual_devices=2", "leave --strategy and --num_virtual_devices"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "hdd_tf.main", *SMALL, flag],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        assert said in done.stderr and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
