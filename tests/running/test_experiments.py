"""What surrounds the experiments of a command."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.artifacts.checkpoint_files import CheckpointFiles
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.config import Config
from hdd_tf.distillation.run_context import RunContext
from hdd_tf.errors import InputError
from hdd_tf.reading.loading import dataset_from_arrays
from hdd_tf.running import experiments
from hdd_tf.running.run_writer import RunWriter


def test_memory_that_is_used_up_is_one_line(tmp_path, monkeypatch):
    def run_experiment(run):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")

    monkeypatch.setattr(experiments, "run_experiment", run_experiment)
    config = Config(
        dataset="digits", run_dir=str(tmp_path / "run"), strategy="one_device"
    )
    with pytest.raises(InputError, match="--max_images_per_forward"):
        experiments.run_experiments(config)


@pytest.fixture
def dataset():
    return dataset_from_arrays(
        np.arange(128, dtype=np.uint8).reshape(2, 8, 8, 1), np.arange(2)
    )


def test_a_context_may_lie_elsewhere_than_its_settings_say(dataset, tmp_path):
    config = Config(dataset="arrays", depth=2, width=4, run_dir=str(tmp_path / "old"))
    assert RunContext.build(config, dataset).directory.path == tmp_path / "old"
    moved = RunContext.build(
        config, dataset, directory=RunDirectory(tmp_path / "moved")
    )
    assert moved.directory.path == tmp_path / "moved"


@pytest.mark.parametrize(("result", "best_on_test", "finished"), [
    (None, False, False),
    ({"iterations": 4}, False, False),
    ({"iterations": 5}, False, True),
    ({"iterations": 6}, False, True),
    ({"iterations": 5}, True, False),
    ({"iterations": 5, "best_on_test": {}}, True, True),
])  # fmt: skip
def test_a_run_is_finished_once_all_that_is_asked_for_is_there(
    result, best_on_test, finished, dataset, tmp_path, monkeypatch
):
    config = Config(
        dataset="arrays", depth=2, width=4, iterations=5, run_dir=str(tmp_path),
        best_on_test=best_on_test, eval_every=5, validation_fraction=0.5,
    )  # fmt: skip
    run = RunContext.build(config, dataset)
    monkeypatch.setattr(RunDirectory, "read_result", lambda self: result)
    assert RunWriter(run).is_finished() == finished


def test_damaged_checkpoints_are_refused_before_anything_trains(
    dataset, tmp_path, monkeypatch
):
    config = Config(dataset="arrays", depth=2, width=4, run_dir=str(tmp_path))
    writer = RunWriter(RunContext.build(config, dataset))
    writer.check()  # A new run has none.

    def check(self):
        assert self.directory == tmp_path / "checkpoints"
        raise InputError("no whole checkpoint")

    monkeypatch.setattr(CheckpointFiles, "check", check)
    with pytest.raises(InputError, match="no whole checkpoint"):
        writer.check()
