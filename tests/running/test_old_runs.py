"""Run directories and sets of commit ac4884a, before methods had one protocol, go on.

golden/old_runs.zip holds three of its runs on two of the digits: DM with a bank of
three and IDM, both stopped for good after four iterations, and herding. In old_runs.npz
are the images that the same version reached from there after six (TensorFlow 2.21 on a
CPU with AVX-512; elsewhere sums have another order).
"""

import dataclasses
import pathlib
import shutil
import zipfile

import numpy as np
import pytest

from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.sets.distilled_set import read_distilled_set, write_distilled_set
from hdd_tf.config import from_json
from hdd_tf.exporting.sets import set_of_run
from hdd_tf.networks.options import NetworkOptions
from hdd_tf.networks.registry import build_with_options
from hdd_tf.networks.teacher import Teacher, TeacherNetwork
from hdd_tf.random_keys import derive_key
from hdd_tf.running.experiments import run_experiments

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    place = tmp_path_factory.mktemp("old")
    with zipfile.ZipFile(GOLDEN / "old_runs.zip") as archive:
        archive.extractall(place)
    return place


def config_of(run, **changes):
    record = RunDirectory(run).read_config()
    return dataclasses.replace(from_json(record["config"]), run_dir=str(run), **changes)


@pytest.mark.parametrize("name", ["dm_bank", "idm", "herding"])
def test_a_finished_run_is_known_and_exported(runs, name, capsys):
    stored = read_distilled_set(runs / name)
    exported = set_of_run(runs / name)
    np.testing.assert_array_equal(stored.images, exported.images)
    assert exported.label_logits is None and exported.whitening is None
    # Those versions recorded less of what is scored: one of them is scored anew.
    scored = {} if name == "herding" else {"num_eval": 0}
    result = run_experiments(config_of(runs / name, **scored))
    assert "already finished" in capsys.readouterr().out
    assert result["objective"] == stored.metadata["objective"]


def test_a_damaged_export_does_not_keep_a_checkpoint_from_being_exported(
    runs, tmp_path
):
    run = shutil.copytree(runs / "dm_bank", tmp_path / "run")
    expected = read_distilled_set(run).images
    for file in (run / "synthetic").glob("*.tfrecord*"):
        file.write_bytes(b"")
    np.testing.assert_array_equal(set_of_run(run).images, expected)


def test_a_teacher_beside_the_images_is_exported_with_them(runs, tmp_path):
    run = shutil.copytree(runs / "dm_bank", tmp_path / "run")
    stored, options = read_distilled_set(run), NetworkOptions(depth=2, width=4)
    shape = stored.images.shape[1:]
    network = build_with_options("convnet", shape, 2, options)
    weights = [w.numpy() for w in network.initial_weights(derive_key(0))]
    member = TeacherNetwork("convnet", options, weights, [])
    taught = dataclasses.replace(stored, teacher=Teacher((member,), shape, 2))
    write_distilled_set(run / "synthetic", taught)
    assert set_of_run(run).teacher is not None
    # Of other iterations it says nothing.
    taught.metadata["iteration"] += 1
    write_distilled_set(run / "synthetic", taught)
    assert set_of_run(run).teacher is None


@pytest.mark.parametrize(
    "name", ["dm_bank", pytest.param("idm", marks=pytest.mark.stress)]
)
@pytest.mark.slow
def test_a_run_goes_on_as_its_own_version_would(runs, name):
    before = read_distilled_set(runs / name).images
    run_experiments(config_of(runs / name, iterations=6, strategy="one_device"))
    found = read_distilled_set(runs / name).images
    with np.load(GOLDEN / "old_runs.npz") as golden:
        expected = golden[name]
    moved = np.abs(expected - before).max()
    assert moved > 1
    assert np.abs(found - expected).max() <= 1e-3 * moved
