"""Data four times as large as memory: the kernel keeps the bound."""

import contextlib
import pathlib
import sys

import numpy as np
import pytest

from benchmarks.bounded_memory import Group, Watched
from benchmarks.large_data import write_class
from hdd_tf.artifacts.sets.distilled_set import read_distilled_set

ROOT = pathlib.Path(__file__).parents[1]
CLASSES, IMAGES, SIDE = 4, 1000, 512
# TensorFlow alone takes 200 MiB, and such a run 500, so the data must have 3,000.
BOUND = CLASSES * IMAGES * SIDE**2 * 3 // 4


@pytest.fixture
def bounded():
    """A control group that has a quarter of the data."""
    with contextlib.ExitStack() as stack:
        try:
            group = stack.enter_context(Group(BOUND))
        except OSError as error:
            pytest.skip(f"no control group can be made here: {error}")
        yield group


@pytest.mark.stress
def test_memory_of_a_quarter_of_the_data_is_enough(tmp_path, bounded, monkeypatch):
    for label in range(CLASSES):
        write_class(tmp_path / "pets", label, IMAGES, SIDE, is_tiny=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    monkeypatch.chdir(ROOT)

    def run(group, name, kill_file="", **settings):
        values = {
            **{"dataset": f"folder:{tmp_path / 'pets'}", "data_dir": tmp_path},
            **{"ipc": 1, "width": 4, "depth": 2, "real_batch": 2, "iterations": 4},
            **{"real_bank_size": 2, "image_lr": 1, "loss_weight": 20, "num_eval": 1},
            **{"dsa": "none", "eval_dsa": "none"},
            **{"eval_epochs": 1, "eval_batch": 4, "checkpoint_every": 1},
            **{"steps_per_call": 1, "max_images_per_forward": 2},
            **{"run_dir": tmp_path / name, **settings},
        }
        words = [f"--{key}={value}" for key, value in values.items()]
        command = [sys.executable, "-m", "hdd_tf.main", *words]
        watched = Watched(
            group, [*command, "--noprogress", "--noanalysis"], kill_file=kill_file
        )
        return watched.child.communicate()[0], watched.join()

    checkpoint = tmp_path / "small/checkpoints/iteration-2.sha256.json"
    told, code = run(bounded, "small", kill_file=str(checkpoint))
    assert code == -9 and checkpoint.exists(), told
    assert f"decoding {CLASSES * IMAGES:,} images of train" in told
    told, code = run(bounded, "small")
    assert code == 0 and "goes on from iteration" in told, told
    with Group(None) as free:
        told, code = run(free, "free", real_store="memory")
    assert code == 0, told
    found, expected = (
        read_distilled_set(tmp_path / name / "synthetic").images
        for name in ("small", "free")
    )
    np.testing.assert_array_equal(found, expected)


def test_a_group_is_there_as_long_as_it_is_used(bounded):
    before = set(bounded.taken().values())
    with Group(None) as free:
        assert set(free.taken()) == {"own", "files", "kernel"}
    with pytest.raises(OSError):
        free.taken()
    assert before == {0} or max(before) < 2**20
