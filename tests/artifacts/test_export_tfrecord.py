"""The program over real checkpoints: which set, in which encoding, and its accuracy."""

import dataclasses
import importlib.util
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.sets.decoding import decode_set
from hdd_tf.artifacts.sets.distilled_set import read_distilled_set, write_distilled_set
from hdd_tf.augment import formation
from hdd_tf.config import Config, to_json
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.distillation.synthetic_set import SyntheticSet
from hdd_tf.exporting.models import prune_set_of_run
from hdd_tf.reading.digits import read_digits
from tests.artifacts.full_set import assert_same_extras, full_set

PROGRAM = pathlib.Path(__file__).parents[2] / "export" / "export_tfrecord.py"
MEAN, STD = (0.3,), (0.35,)
ITERATIONS = (30, 70)
CONFIG = Config(
    dataset="digits", ipc=2, objective="idm", width=8, depth=2, num_eval=3,
    eval_epochs=40, eval_batch=16, seed=4, progress=False,
)  # fmt: skip


def images_after(iteration):
    """Two images of each digit with four real ones in each; brighter in a long run."""
    training, _, _ = read_digits()
    rows = [np.flatnonzero(training.labels == digit)[:8] for digit in range(10)]
    cells = tf.constant(training.images[np.array(rows)], tf.float32)
    cells = tf.reshape(cells, [20, 4, 32, 32, 1])
    images = formation.compose(cells, 2, "bilinear").numpy()
    return images.reshape(10, 2, 32, 32, 1) * iteration / 68 - 5.25


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """`run` with two checkpoints, and `begun` with none."""
    place = tmp_path_factory.mktemp("runs")
    data = {"name": "digits", "label_names": [str(digit) for digit in range(10)]}
    data |= {"mean": MEAN, "std": STD}
    values = to_json(CONFIG)
    for name in ("run", "begun"):
        RunDirectory(place / name).open_or_create(values, values, "", {}, data)
    synthetic_set = SyntheticSet(
        tf.zeros([10, 2, 32, 32, 1]), Normalisation(MEAN, STD), formation_factor=2
    )
    iteration = tf.Variable(0, dtype=tf.int64)
    checkpoint = tf.train.Checkpoint(synthetic_set=synthetic_set, iteration=iteration)
    manager = tf.train.CheckpointManager(
        checkpoint, str(place / "run/checkpoints"), 2, checkpoint_name="iteration"
    )
    for number in ITERATIONS:
        synthetic_set.images.assign((images_after(number) / 255 - MEAN) / STD)
        iteration.assign(number)
        manager.save(checkpoint_number=number)
    return place


@pytest.fixture
def program(runs, monkeypatch):
    monkeypatch.chdir(runs)
    spec = importlib.util.spec_from_file_location("export_tfrecord", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda *arguments: module.main(["export_tfrecord.py", *map(str, arguments)])


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture(scope="module")
def last_set(runs):
    """What the program should find in the newest checkpoint, as stored."""
    from hdd_tf.exporting.sets import set_of_run

    return set_of_run(runs / "run")


def test_the_newest_checkpoint_of_a_run(program, out, capsys):
    assert program("--run_dir=run", f"--output_dir={out}") == 0
    assert "digits after 70 iterations, float32" in capsys.readouterr().out
    written = read_distilled_set(out)
    expected = images_after(70).reshape(20, 32, 32, 1)
    np.testing.assert_allclose(written.images, expected, atol=1e-3)
    np.testing.assert_array_equal(written.labels, np.repeat(np.arange(10), 2))
    assert written.metadata["iteration"] == 70
    assert written.metadata["source"] == json.loads(json.dumps(to_json(CONFIG)))
    assert written.metadata["formation_factor"] == 2
    assert written.metadata["decoded"] is False
    assert "accuracy" not in written.metadata


@pytest.mark.parametrize("ending", ["", ".index"])
def test_any_checkpoint(program, out, ending, runs, monkeypatch, tmp_path):
    prefix = runs / f"run/checkpoints/iteration-30{ending}"
    assert program(f"--checkpoint={prefix}", f"--output_dir={out}") == 0
    written = read_distilled_set(out)
    expected = images_after(30).reshape(20, 32, 32, 1)
    np.testing.assert_allclose(written.images, expected, atol=1e-3)
    assert written.metadata["iteration"] == 30
    # From inside the run, too.
    monkeypatch.chdir(runs / "run/checkpoints")
    assert program("--checkpoint=iteration-30", f"--output_dir={tmp_path / 'b'}") == 0


def test_decoded_images_in_every_encoding(program, out, last_set):
    decoded = decode_set(last_set)
    for encoding in ("float32", "png", "png_folder", "npz", "dd_ranking"):
        arguments = ["--images=decoded", f"--encoding={encoding}", "--overwrite"]
        assert program("--run_dir=run", f"--output_dir={out}", *arguments) == 0
        read = read_distilled_set(out)
        assert read.metadata["encoding"] == encoding
        assert read.metadata["decoded"] is True
        assert read.metadata["ipc"] == 2
        tolerance = 1e-3 if "png" not in encoding else None
        if tolerance is None:
            expected = np.rint(np.clip(decoded.images, 0, 255))
            np.testing.assert_array_equal(read.images, expected)
        else:
            np.testing.assert_allclose(read.images, decoded.images, atol=tolerance)


def test_a_set_is_exported_again(program, out, tmp_path, last_set, capsys):
    write_distilled_set(tmp_path / "first", last_set, "npz")
    source = f"--set={tmp_path / 'first'}"
    assert program(source, f"--output_dir={out}", "--images=decoded") == 0
    expected = decode_set(last_set)
    np.testing.assert_array_equal(read_distilled_set(out).images, expected.images)
    capsys.readouterr()
    # There is no way back.
    arguments = [f"--set={out}", f"--output_dir={tmp_path / 'back'}"]
    assert program(*arguments, "--images=stored") == 2
    assert "leave out --images=stored" in capsys.readouterr().err
    assert program(*arguments, "--encoding=png") == 0
    # Even into its own place.
    assert program(f"--set={out}", f"--output_dir={out}", "--overwrite") == 0
    np.testing.assert_array_equal(read_distilled_set(out).images, expected.images)


@pytest.mark.slow
def test_what_a_set_carries_is_exported_again(
    program, out, tmp_path, last_set, capsys, monkeypatch
):
    from hdd_tf.evaluation import rounding
    from hdd_tf.evaluation.scorers.scoring import Score

    carried = full_set(last_set)
    write_distilled_set(tmp_path / "first", carried, "npz")
    # What networks would train on, with floats and with eight bits.
    measured = []

    class Recorder:
        def score_set(self, distilled_set):
            measured.append(distilled_set)
            return Score((50.0,), len(distilled_set.images), 0.0)

        def describe_protocol(self, distilled_set):
            return {"baseline_network": "convnet", "whole_epochs": 1}

    monkeypatch.setattr(
        rounding, "evaluation_of_source", lambda *_: (Recorder(), CONFIG)
    )
    arguments = [f"--set={tmp_path / 'first'}", f"--output_dir={out}", "--overwrite"]
    assert program(*arguments, "--encoding=png", "--measure") == 0
    assert_same_extras(read_distilled_set(out), carried)
    assert len(measured) == 2
    for distilled_set in measured:
        assert_same_extras(distilled_set, carried)
    capsys.readouterr()
    # Labels of views belong to the images as they are stored.
    assert program(*arguments, "--images=decoded") == 2
    assert "cannot be decoded" in capsys.readouterr().err
    assert program(*arguments, "--encoding=dd_ranking") == 2
    # Each class keeps one of its two stored images, four of eight decoded ones.
    rows = dataclasses.replace(carried, epoch_labels=None)
    write_distilled_set(tmp_path / "rows", rows, "npz")
    part = prune_set_of_run(
        read_distilled_set(tmp_path / "rows"), "run", 0.5, "random", []
    )
    assert len(part.images) == 40
    decoded = decode_set(rows)
    for image, label_logits in zip(part.images, part.label_logits, strict=True):
        (row,) = np.flatnonzero((decoded.images == image).all(axis=(1, 2, 3)))
        np.testing.assert_array_equal(label_logits, decoded.label_logits[row])
    assert part.student_rate == carried.student_rate


@pytest.mark.slow
def test_accuracy_is_measured_and_recorded(program, out, tmp_path, capsys):
    from hdd_tf.evaluation.rounding import measure_rounding

    measure = ["--measure", "--num_eval=2", "--eval_epochs=10"]
    arguments = ["--run_dir=run", f"--output_dir={out}", "--encoding=png"]
    assert program(*arguments, *measure) == 0
    metadata = read_distilled_set(out).metadata
    accuracy = metadata["accuracy"]
    assert accuracy["evaluation_seed"] == 4
    assert accuracy["network"] == "convnet"
    assert accuracy["protocol"]["split"] == "test"
    assert accuracy["protocol"]["networks"] == 2
    assert accuracy["protocol"]["epochs"] == 10
    printed = capsys.readouterr().out
    for kind in ("float32", "uint8"):
        assert len(accuracy[kind]["values"]) == 2
        assert accuracy[kind]["images"] == 80
        assert f"{kind}: {accuracy[kind]['mean']:.2f}" in printed
    # Chance is 10 %.
    assert accuracy["float32"]["mean"] > 15
    # A reader of the files gets what was measured: the same seeds, the same networks.
    again = measure_rounding(read_distilled_set(out), measure[1:])
    assert "float32" not in again
    assert again["uint8"]["values"] == accuracy["uint8"]["values"]
    assert accuracy["float32"]["values"] != accuracy["uint8"]["values"]
    # In another encoding it still holds; of other images it does not.
    npz, decoded = tmp_path / "npz", tmp_path / "decoded"
    assert program(f"--set={out}", f"--output_dir={npz}", "--encoding=npz") == 0
    assert read_distilled_set(npz).metadata["accuracy"] == accuracy
    program(f"--set={out}", f"--output_dir={decoded}", "--images=decoded")
    assert "accuracy" not in read_distilled_set(decoded).metadata


def test_a_failed_measurement_leaves_the_set(program, out, capsys):
    arguments = ["--run_dir=run", f"--output_dir={out}", "--measure"]
    assert program(*arguments, "--num_eval=0") == 2
    assert "give --num_eval" in capsys.readouterr().err
    assert "accuracy" not in read_distilled_set(out).metadata


def test_a_set_is_replaced_only_when_told(program, out, capsys):
    arguments = ["--run_dir", "run", "--output_dir", out]
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
        (["--output_dir=NEW"], "nothing to export"),
        (["--run_dir=run", "--set=x", "--output_dir=NEW"], "--run_dir and --set"),
        (["--run_dir=run", "--output_dir=NEW", "--wrong=1"], "wrong"),
        (["--run_dir=run", "--output_dir=NEW", "extra"], "'extra' is not a flag"),
        (["--run_dir=run", "--output_dir=NEW", "--overwrite=maybe"], "overwrite"),
        (["--run_dir=run", "--output_dir=NEW", "--images=all"], "images"),
        (["--run_dir=run", "--output_dir=NEW", "--encoding=jpg"], "no encoding 'jpg'"),
        (
            ["--run_dir=run", "--output_dir=NEW", "--encoding=hub"],
            "`hdd-tf export hub`",
        ),
        (["--run_dir=run", "--output_dir=NEW", "--ipc=3"], "--ipc is a flag of distil"),
        (["--run_dir=run", "--output_dir=NEW", "--num_eval=2"], "add that"),
        (["--run_dir=none", "--output_dir=NEW"], "none is not a run's directory"),
        (["--run_dir=begun", "--output_dir=NEW"], "begun/checkpoints holds no"),
        (["--checkpoint=run", "--output_dir=NEW"], "there is no checkpoint run"),
        (["--checkpoint=run/config.json", "--output_dir=NEW"], "there is no checkp"),
        (["--set=run", "--output_dir=NEW"], "hdd-tf export --run_dir=run"),
        (["--set=begun", "--output_dir=NEW"], "is no distilled set"),
        (["--run_dir=run", "--output_dir=FILE"], "is a file"),
        (["--run_dir=run", "--output_dir=FULL"], "holds other things"),
        (["--run_dir=run", "--output_dir=FULL", "--overwrite"], "holds other things"),
        (["--run_dir=run", "--output_dir=FILE/below"], "is a file: name a dir"),
        (
            ["--run_dir=run", "--output_dir=NEW", "--encoding=dd_ranking"],
            "--images=decoded",
        ),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    program, tmp_path, capsys, arguments, message
):
    places = {name: tmp_path / name.lower() for name in ("NEW", "FILE", "FULL")}
    places["FILE"].write_text("mine")
    places["FULL"].mkdir()
    (places["FULL"] / "thesis.txt").write_text("mine")
    for name, place in places.items():
        arguments = [argument.replace(name, str(place)) for argument in arguments]
    assert program(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert captured.out == ""
    assert (places["FULL"] / "thesis.txt").read_text() == "mine"
    assert not places["NEW"].exists()


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("--run_dir=run", "run/exported"),
        ("--run_dir=run", "run/synthetic"),
        ("--run_dir={out}/../run", "run/new/deep"),
        ("--checkpoint=run/checkpoints/iteration-30", "run/exported"),
        ("--set={out}", "{out}/float32"),
        ("--set={out}", "run/synthetic"),
        ("--set={out}", "run/synthetic_decoded"),
    ],
)
def test_an_export_does_not_go_into_its_source(
    program, out, runs, source, place, capsys, tmp_path
):
    (tmp_path / "run").symlink_to(runs / "run")
    assert program("--run_dir=run", f"--output_dir={out}") == 0
    before = sorted([*runs.rglob("*"), *out.rglob("*")])
    capsys.readouterr()
    place = f"--output_dir={place.format(out=out)}"
    assert program(source.format(out=out), place, "--overwrite") == 2
    error = capsys.readouterr().err
    assert "name a directory outside of it" in error and error.count("\n") == 1
    assert sorted([*runs.rglob("*"), *out.rglob("*")]) == before
    # A neighbour whose name begins alike is outside.
    beside = f"{out}_beside"
    assert program(f"--set={out}", f"--output_dir={beside}") == 0


def test_a_checkpoint_that_is_none_of_a_run_is_refused(program, tmp_path, runs, capsys):
    alone = tmp_path / "a" / "b" / "c" / "d"
    alone.mkdir(parents=True)
    for path in (runs / "run/checkpoints").glob("iteration-30.*"):
        (alone / path.name).write_bytes(path.read_bytes())
    arguments = [f"--checkpoint={alone / 'iteration-30'}", f"--output_dir={alone}/x"]
    assert program(*arguments) == 2
    assert "no config.json above" in capsys.readouterr().err
    # Of another program, and damaged.
    other = tf.train.Checkpoint(weights=tf.Variable([1.0])).write(str(alone / "other"))
    assert program(f"--checkpoint={other}", f"--output_dir={alone}/x") == 2
    (data,) = alone.glob("iteration-30.data*")
    data.write_bytes(data.read_bytes()[:100])
    assert program(*arguments) == 2
    error = capsys.readouterr().err
    assert error.count("cannot be read") == 2
    assert error.count("\n") == 2


def test_help_is_not_an_error(program, capsys):
    assert program("--help") == 0
    help_text = capsys.readouterr().out
    assert "python export/export_tfrecord.py" in help_text
    assert "--[no]overwrite" in help_text
    from hdd_tf.artifacts.encodings.registry import ENCODINGS

    for name in ENCODINGS:
        assert f"\n{name} " in help_text
