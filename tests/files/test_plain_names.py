"""Tests of the names of directories that TensorFlow takes as they stand."""

import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.artifacts.encodings.tfds_folder import read_records, write_records
from hdd_tf.artifacts.summaries import SummaryWriter
from hdd_tf.errors import InputError
from hdd_tf.exporting.saved_sets import load_saved_set
from hdd_tf.files import plain_names
from hdd_tf.files.plain_names import plainly_named
from hdd_tf.running.checkpoints import DistillationCheckpoints

ODD = ["a[1]", "b\\c", "*?{x,y}", "-dash", "two words", "ünï猫", "line\nend",
       os.fsdecode(b"raw\xff")]  # fmt: skip


@pytest.mark.parametrize("name", ["plain", "two words", "-dash", "ünï猫", "a+b,c=d:e"])
def test_a_plain_name_is_kept(name):
    with plainly_named(name) as given:
        assert given == pathlib.Path(name)
    assert not given.exists()


@pytest.mark.parametrize("name", ODD)
def test_a_run_goes_on_in_a_directory_of_any_name(name, tmp_path):
    place = tmp_path / name / "checkpoints"
    images = tf.Variable(np.arange(16.0, dtype=np.float32).reshape(1, 1, 4, 4, 1))
    module = tf.Module()
    module.images = images
    module.scale, module.offset = tf.Variable([1.0]), tf.Variable([0.0])
    state = {"synthetic_set": module}
    DistillationCheckpoints(place, state).save(3, 1.5)
    saved = images.numpy()
    images.assign(images * 0)
    assert DistillationCheckpoints(place, state).restore() == (3, 1.5)
    np.testing.assert_array_equal(images, saved)
    # An export reads the same.
    found = load_saved_set(place / "iteration-3")
    np.testing.assert_array_equal(found.images, saved)


@pytest.mark.parametrize("name", ODD)
def test_records_and_event_files_lie_in_a_directory_of_any_name(name, tmp_path):
    place = tmp_path / name
    with SummaryWriter(place / "tensorboard") as summaries:
        summaries.scalars(1, {"loss": 0.5})
    (events,) = (place / "tensorboard").iterdir()
    assert b"loss" in events.read_bytes()
    made = np.ones((2, 3, 3, 1), np.float32)
    write_records(place, made, np.array([0, 1]))
    images, labels, _ = read_records(place, 2, (3, 3, 1))
    np.testing.assert_array_equal(images, made)
    assert labels.tolist() == [0, 1]


def test_no_descriptor_stays_open(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    with plainly_named(tmp_path / "a[1]") as given:
        assert given != tmp_path / "a[1]"
        (given / "file").write_text("x")
    assert (tmp_path / "a[1]" / "file").read_text() == "x"
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_system_without_other_names_refuses(tmp_path, monkeypatch):
    monkeypatch.setattr(plain_names, "_OPEN", str(tmp_path / "no"))
    raised = pytest.raises(InputError, match="give one of letters, digits")
    with raised, plainly_named(tmp_path / "a[1]"):
        pass
