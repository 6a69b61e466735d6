"""Tests that a broken installation is found before the work."""

import importlib
import os

import pytest

from hdd_tf.artifacts.encodings import tfds_folder
from hdd_tf.config import Config
from hdd_tf.errors import InputError
from hdd_tf.exporting import installation
from hdd_tf.exporting.installation import check_installation
from hdd_tf.running.run_writer import RunWriter

CONFIG = Config(dataset="digits")


def test_a_whole_installation_passes_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(installation.tempfile, "tempdir", str(tmp_path))
    check_installation(CONFIG)
    assert os.listdir(tmp_path) == []
    # A folder of temporary files that is full or closed says nothing of a run.
    monkeypatch.setattr(installation.tempfile, "tempdir", str(tmp_path / "none"))
    check_installation(CONFIG)


def test_what_fails_after_the_work_fails_before_it(monkeypatch, tmp_path):
    def fail(*_, **__):
        raise AttributeError("'MessageFactory' has no 'GetPrototype'\nof protobuf 5")

    monkeypatch.setattr(tfds_folder, "write_tfds_metadata", fail)
    with pytest.raises(
        InputError, match=r"tensorflow_datasets fails .*Message"
    ) as seen:
        check_installation(CONFIG)
    assert "\n" not in str(seen.value)

    # The writer of a run asks before anything trains.
    class Run:
        config = CONFIG

    with pytest.raises(InputError, match="could not write the results"):
        RunWriter(Run()).check()


@pytest.mark.parametrize("missing", ["matplotlib.figure", "scipy.stats"])
def test_what_an_analysis_needs_is_asked_for_with_one(missing, monkeypatch):
    real = importlib.import_module

    def some(name):
        if name == missing:
            raise ImportError("libfreetype is missing")
        return real(name)

    monkeypatch.setattr(installation.importlib, "import_module", some)
    with pytest.raises(InputError, match=r"libfreetype is missing") as caught:
        check_installation(CONFIG)
    assert ("--noanalysis" in str(caught.value)) == (missing == "scipy.stats")
    without = Config(dataset="digits", analysis=False)
    if missing == "scipy.stats":
        check_installation(without)
    else:
        with pytest.raises(InputError, match="matplotlib"):
            check_installation(without)
