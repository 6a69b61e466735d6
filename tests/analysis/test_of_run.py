"""The analysis as a part of runs: each objective's encoder, and no work twice."""

import contextlib
import functools
import io
import json

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.analysis import finished_run as of_run
from hdd_tf.analysis.embeddings import draw_real_images
from hdd_tf.arguments.command_line import parse_command_line
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.errors import InputError
from hdd_tf.reading.loading import load_configured_dataset
from hdd_tf.running import run_writer
from hdd_tf.running.experiments import run_experiments

pytestmark = pytest.mark.slow

SMALL = [
    "main", "--dataset=digits", "--classes=0,1,2", "--dsa=none", "--ipc=1",
    "--width=4", "--depth=1", "--real_batch=8", "--iterations=4", "--num_eval=0",
    "--noprogress", "--encoder_epochs=1",
    "--pretrain_epochs=1", "--num_experts=1", "--idm_train_steps=1",
    "--idm_pool_start=1", "--idm_pool_size=3", "--idm_join_every=1",
    "--strategy=one_device", "--picture_every=0", "--analysis_images=40",
]  # fmt: skip


def run(place, *arguments):
    words = [*SMALL, f"--run_dir={place / 'run'}", f"--expert_dir={place / 'experts'}"]
    config = parse_command_line([*words, *arguments])
    run_experiments(config)
    directory = RunDirectory(config.run_dir)
    return config, directory, json.loads(directory.analysis_file.read_text())


@pytest.fixture(scope="module")
def analysed(tmp_path_factory):
    """A function from an objective to a run of it, which is made once."""

    @functools.cache
    def make(objective):
        place, printed = tmp_path_factory.mktemp(objective), io.StringIO()
        with contextlib.redirect_stdout(printed):
            found = run(place, f"--objective={objective}", "--analysis_every=2")
        return place, *found, printed.getvalue()

    return make


@pytest.mark.parametrize(
    ("objective", "source"),
    [
        ("dm", "trained on the real training split"),
        pytest.param("idm", "oldest network of IDM's pool", marks=pytest.mark.stress),
        pytest.param("dance", "expert 0", marks=pytest.mark.stress),
        pytest.param(
            "random", "trained on the real training split", marks=pytest.mark.stress
        ),
    ],
)
def test_run_writes_what_there_is_to_see(objective, source, analysed):
    place, config, directory, numbers, printed = analysed(objective)
    assert source in numbers["encoder"]["source"]
    assert "analysis: median radius 2.00 real" in printed
    pictures = {path.name for path in directory.pictures.iterdir()}
    assert {"poincare.png", "hierarchy.png"} <= pictures
    # On the way, but for the last iteration, whose analysis is the final one.
    on_the_way = set() if objective == "random" else {"poincare_000002.png"}
    assert {name for name in pictures if "poincare_0" in name} == on_the_way
    assert (directory.tensorboard / "projector_config.pbtxt").exists()
    # The saved encoder gives what was measured.
    dataset = load_configured_dataset(config)
    encoder = tf.saved_model.load(str(directory.saved_models / "encoder"))
    real = draw_real_images(dataset, config.analysis_images, config.seed).images
    radius = encoder(real)["radius"].numpy()
    assert np.median(radius) == pytest.approx(numbers["radius"]["real"]["q50"])
    assert radius.max() == pytest.approx(numbers["radius"]["real"]["max"], rel=1e-5)
    # Nothing is done again.
    before = directory.analysis_file.stat().st_mtime_ns
    run(place, f"--objective={objective}", "--analysis_every=2")
    assert directory.analysis_file.stat().st_mtime_ns == before


@pytest.mark.stress
def test_idm_reads_the_oldest_network_of_the_newest_checkpoint(analysed):
    _, _, directory, numbers, _ = analysed("idm")
    # 1 + 1 + 3 have joined places 0, 1, 2, 0, 1 by iteration 3: the oldest has 2.
    assert (numbers["encoder"]["row"], numbers["encoder"]["iterations"]) == (2, 4)
    reader = tf.train.load_checkpoint(
        tf.train.latest_checkpoint(str(directory.checkpoints))
    )
    stacked = reader.get_tensor("objective/pool/_weights/0/.ATTRIBUTES/VARIABLE_VALUE")
    encoder = tf.saved_model.load(str(directory.saved_models / "encoder"))
    np.testing.assert_array_equal(encoder.read[0], stacked[2])


@pytest.mark.stress
def test_analysis_can_be_left_out_stopped_and_caught_up_with(tmp_path, monkeypatch):
    def stopped(*arguments, **named):
        raise KeyboardInterrupt

    words = [*SMALL, f"--run_dir={tmp_path / 'run'}", f"--expert_dir={tmp_path / 'e'}"]
    words += ["--num_eval=1", "--eval_epochs=2", "--eval_dsa=none"]
    run_experiments(parse_command_line([*words, "--noanalysis"]))
    directory = RunDirectory(tmp_path / "run")
    assert not directory.analysis_file.exists()
    assert not directory.saved_models.exists() and not (tmp_path / "e").exists()
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(of_run, "analyse", stopped)
        run_experiments(parse_command_line(words))
    assert not directory.analysis_file.exists()
    run_experiments(parse_command_line(words))
    numbers = json.loads(directory.analysis_file.read_text())
    assert numbers["iterations"] == 4 and numbers["curvature"] != -0.5
    # The classifier too: the network that the run was scored by.
    metadata = directory.saved_models / "classifier/hdd_tf.json"
    accuracy = directory.read_result()["accuracy"]["convnet"]["values"][0]
    found = json.loads(metadata.read_text())
    assert found["test_accuracy"] == pytest.approx(accuracy, abs=1e-3)
    assert found["learnt"]["iteration"] == 4
    # Other settings ask for another analysis; the run itself stays finished.
    result = directory.result_file.read_bytes()
    run_experiments(parse_command_line([*words, "--analysis_curvature=-0.5"]))
    numbers = json.loads(directory.analysis_file.read_text())
    assert numbers["curvature"] == numbers["settings"]["analysis_curvature"] == -0.5
    assert directory.result_file.read_bytes() == result
    # With more iterations they are other images: nothing of the old ones stays.
    run_experiments(parse_command_line([*words, "--noanalysis", "--iterations=5"]))
    assert not directory.analysis_file.exists() and not directory.saved_models.exists()
    assert not (directory.pictures / "poincare.png").exists()


@pytest.mark.stress
def test_dance_is_seen_through_an_expert_of_what_is_matched(tmp_path):
    run(tmp_path, "--objective=dance", "--keep_fraction=0.5", "--keep=random")
    # No other expert is trained for the analysis.
    assert len(list((tmp_path / "experts").iterdir())) == 1


@pytest.mark.stress
def test_a_failing_analysis_costs_no_result(tmp_path, capsys, monkeypatch):
    # As if the place had become a file after it was looked at.
    monkeypatch.setattr(run_writer, "check_place_of_encoder", lambda run: None)
    (tmp_path / "file").write_text("no directory")
    words = [*SMALL, f"--run_dir={tmp_path / 'run'}", "--num_experiments=2"]
    words += [f"--expert_dir={tmp_path / 'file' / 'experts'}", "--analysis_every=2"]
    with pytest.raises(InputError, match="The result is complete"):
        run_experiments(parse_command_line(words))
    # Both seeds, pooled; and nothing was lost on the way.
    assert json.loads((tmp_path / "run/result.json").read_text())["seeds"] == [0, 1]
    assert capsys.readouterr().out.count("no analysis of iteration 2") == 2
