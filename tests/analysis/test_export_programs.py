"""The export programs, on runs that are finished and that are not."""

import importlib.util
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.analysis.encoder_of_run import EncoderOfRun
from hdd_tf.arguments.command_line import parse_command_line
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.sets.distilled_set import read_distilled_set
from hdd_tf.running.experiments import run_experiments

EXPORT = pathlib.Path(__file__).parents[2] / "export"


def program(name):
    spec = importlib.util.spec_from_file_location(name, EXPORT / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda *words: module.main([name, *map(str, words)])


export_projector = program("export_projector")
export_saved_model = program("export_saved_model")
export_tfrecord = program("export_tfrecord")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run without an analysis, and where its experts would be."""
    place = tmp_path_factory.mktemp("exports")
    run_experiments(
        parse_command_line(
            ["main", "--dataset=digits", "--ipc=1", "--width=4", "--depth=1",
             "--real_batch=8", "--iterations=2", "--num_eval=1", "--eval_epochs=3",
             "--encoder_epochs=1", "--noprogress", "--noanalysis",
             "--analysis_images=30", "--strategy=one_device",
             f"--run_dir={place / 'run'}", f"--expert_dir={place / 'experts'}"],
        )
    )  # fmt: skip
    return place


@pytest.mark.slow
def test_saved_models(place, capsys):
    out = place / "models"
    assert export_saved_model(f"--run_dir={place / 'run'}", f"--output_dir={out}") == 0
    printed = capsys.readouterr().out
    result = RunDirectory(place / "run").read_result()["accuracy"]["convnet"]
    # The same seed, images and protocol: the run's own network again.
    assert f"classifier, {result['mean']:.2f} % of the test split" in printed
    metadata = json.loads((out / "classifier/hdd_tf.json").read_text())
    assert metadata["test_accuracy"] == pytest.approx(result["mean"], abs=1e-3)
    labels = tf.saved_model.load(str(out / "classifier"))(
        np.zeros([2, 32, 32, 1], "u1")
    )
    assert labels["label"].shape == [2]
    assert (out / "encoder/saved_model.pb").exists()


@pytest.mark.slow
def test_nothing_is_overwritten_unasked(place, capsys):
    out = place / "again"
    words = [f"--run_dir={place / 'run'}", f"--output_dir={out}", "--model=encoder"]
    assert export_saved_model(*words) == 0
    assert not (out / "classifier").exists()
    capsys.readouterr()
    assert export_saved_model(*words) == 2
    assert "add --overwrite" in capsys.readouterr().err
    assert export_saved_model(*words, "--overwrite", "--analysis_curvature=-3") == 0
    assert json.loads((out / "encoder/hdd_tf.json").read_text())["curvature"] == -3.0


@pytest.mark.slow
def test_projector_goes_to_the_run_or_elsewhere(place, capsys):
    assert export_projector(f"--run_dir={place / 'run'}") == 0
    assert "30 real and 10 synthetic images" in capsys.readouterr().out
    assert (place / "run/tensorboard/projector_config.pbtxt").exists()
    words = [f"--run_dir={place / 'run'}", f"--output_dir={place / 'shown'}"]
    # Radii that are cut to one: no disk, and it is said.
    clamp = ["--analysis_curvature=-1e6", "--analysis_max_tangent_norm=3"]
    assert export_projector(*words, *clamp) == 0
    assert "no poincare_disk: all radii agree" in capsys.readouterr().out
    assert (place / "shown/projector/features.bytes").exists()
    assert not (place / "shown/projector/poincare_disk.bytes").exists()


@pytest.mark.parametrize("run", [export_projector, export_saved_model])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--output_dir=x"], "--run_dir is missing"),
        (["--run_dir=/nowhere", "--output_dir=x"], "not a run's directory"),
        (["--run_dir={run}", "--output_dir=x", "--ipcc=3"], "did you mean --ipc?"),
        # Answered before the run is looked at.
        (["--run_dir=no", f"--output_dir={__file__}"], "is a file; name a directory"),
        (["--run_dir=no", f"--output_dir={__file__}/x"], "is a file; name a directory"),
    ],
)
def test_bad_input_is_one_line(run, words, said, place, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [word.format(run=place / "run") for word in words]
    assert run(*words) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_another_projector_is_seen_before_an_encoder_is_trained(
    place, capsys, tmp_path, monkeypatch
):
    def train(self):
        raise AssertionError("an encoder was trained")

    monkeypatch.setattr(EncoderOfRun, "weights", train)
    (tmp_path / "projector_config.pbtxt").write_text("tensor_path: 'mine'")
    words = [f"--run_dir={place / 'run'}", f"--output_dir={tmp_path}"]
    assert export_projector(*words) == 2
    assert "is of another projector" in capsys.readouterr().err


def test_help_tells_the_flags(capsys):
    for run in (export_projector, export_saved_model):
        assert run("--help") == 0
        assert "--run_dir" in capsys.readouterr().out


def test_a_part_of_the_images_is_exported(place, capsys, tmp_path):
    run = place / "run"
    words = [f"--run_dir={run}", "--keep_fraction=0.5", "--keep=far_from_root"]
    # One image a class is the least.
    assert export_tfrecord(*words, f"--output_dir={tmp_path / 'part'}") == 0
    assert "kept (far_from_root): 10 of 10 images" in capsys.readouterr().out
    kept = read_distilled_set(tmp_path / "part")
    assert len(kept.images) == 10
    assert kept.metadata["pruned"]["keep"] == "far_from_root"
    for bad, said in (
        ([f"--set={tmp_path / 'part'}", "--keep_fraction=0.5"], "give --run_dir"),
        ([f"--run_dir={run}", "--keep_fraction=0"], "keeps nothing"),
    ):
        assert export_tfrecord(*bad, f"--output_dir={tmp_path / 'bad'}") == 2
        assert said in capsys.readouterr().err
