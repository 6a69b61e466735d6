import importlib.util
import pathlib
import sys
import types

import numpy as np
import pytest

from hdd_tf.artifacts.distilled_set import read_distilled_set
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.errors import InputError

PROGRAM = pathlib.Path(__file__).parents[2] / "export" / "export_tfrecord.py"
IMAGES = np.random.default_rng(0).normal(100, 120, [3, 2, 8, 8, 1]).astype(np.float32)
CONFIG = {"objective": "dm", "geometry": "hyperbolic", "seed": 4}
DATA = {"name": "toy", "label_names": list("abc"), "mean": [0.1], "std": [0.2]}


@pytest.fixture
def program(monkeypatch, tmp_path):
    """The program in a directory with a run; checkpoints are read by a stand-in."""

    def load_images(run_dir):
        if not (run_dir / "checkpoints").exists():
            raise InputError(f"{run_dir} holds\nno checkpoint")
        return IMAGES, 70

    checkpoints = types.SimpleNamespace(load_images=load_images)
    monkeypatch.setitem(sys.modules, "hdd_tf.distillation.checkpoints", checkpoints)
    monkeypatch.chdir(tmp_path)
    for name in ("run", "begun"):
        RunDirectory(name).open_or_create(CONFIG, CONFIG, "", {}, DATA)
    RunDirectory("run").checkpoints.mkdir()
    spec = importlib.util.spec_from_file_location("export_tfrecord", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda *arguments: module.main(["export_tfrecord.py", *arguments])


def test_the_set_of_a_checkpoint_is_written(program, tmp_path, capsys):
    out = tmp_path / "out"
    assert program("--run_dir=run", f"--output_dir={out}") == 0
    assert "3 classes x 2 images after 70 iterations" in capsys.readouterr().out
    written = read_distilled_set(out)
    np.testing.assert_array_equal(written.images, IMAGES.reshape(6, 8, 8, 1))
    np.testing.assert_array_equal(written.labels, [0, 0, 1, 1, 2, 2])
    assert written.metadata["iteration"] == 70
    assert written.metadata["source"] == CONFIG


def test_a_set_is_replaced_only_when_told(program, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["--run_dir", "run", "--output_dir", "out"]
    assert program(*arguments) == 0
    before = (out / "hdd_tf.json").stat().st_ino
    assert program(*arguments) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (out / "hdd_tf.json").stat().st_ino == before
    assert program(*arguments, "--overwrite") == 0
    assert (out / "hdd_tf.json").stat().st_ino != before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--run_dir=run"], "--output_dir"),
        (["--output_dir=new"], "--run_dir"),
        (["--run_dir=run", "--output_dir=new", "--wrong=1"], "wrong"),
        (["--run_dir=run", "--output_dir=new", "extra"], "'extra' is not a flag"),
        (["--run_dir=run", "--output_dir=new", "--overwrite=maybe"], "overwrite"),
        (["--run_dir=none", "--output_dir=new"], "none is not a run's directory"),
        (["--run_dir=begun", "--output_dir=new"], "begun holds no checkpoint"),
        (["--run_dir=run", "--output_dir=file"], "is a file"),
        (["--run_dir=run", "--output_dir=full"], "holds other things"),
        (["--run_dir=run", "--output_dir=full", "--overwrite"], "holds other things"),
        (["--run_dir=run", "--output_dir=file/below"], "Not a directory"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    program, tmp_path, capsys, arguments, message
):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    assert program(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert captured.out == ""
    assert (tmp_path / "full" / "thesis.txt").read_text() == "mine"
    assert not (tmp_path / "new").exists()


def test_help_is_not_an_error(program, capsys):
    assert program("--help") == 0
    help_text = capsys.readouterr().out
    assert "python export/export_tfrecord.py" in help_text
    assert "--[no]overwrite" in help_text
