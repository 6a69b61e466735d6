"""`hdd-tf evaluate --set=FILE --dataset=NAME`: the judge of sets from elsewhere."""

import re

import numpy as np
import pytest

import hdd_tf
from hdd_tf.arguments.command_line import given_settings
from hdd_tf.artifacts.sets.distilled_set import write_distilled_set
from hdd_tf.cli.evaluate_command import main
from hdd_tf.config import Config, to_json
from hdd_tf.errors import InputError
from hdd_tf.evaluation.foreign_score import ForeignScore
from hdd_tf.evaluation.score_file import read_score
from hdd_tf.exporting.hub import write_hub
from hdd_tf.foreign_sets.reading import Told
from hdd_tf.reading.loading import load_dataset
from tests.evaluation.digits_set import digits_set

SMALL = [
    "--width=4",
    "--depth=1",
    "--num_eval=1",
    "--eval_epochs=3",
    "--eval_dsa=none",
    "--noprogress",
]


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits", None, 0.0, 0)


@pytest.fixture(scope="module")
def plain(digits):
    """Two images of each digit."""
    return digits_set(digits, 2)


@pytest.fixture
def place(tmp_path, plain, digits, monkeypatch):
    """A folder with the set as other programs write it, and as hdd_tf does."""
    normalised = np.moveaxis(digits.normalise(plain.images), -1, 1)
    monkeypatch.chdir(tmp_path)
    np.savez("plain.npz", images=normalised, labels=plain.labels)
    wrong = np.eye(10)[(plain.labels + 1) % 10] * 0.9 + 0.01
    np.savez("soft.npz", images=plain.images, labels=plain.labels, soft_labels=wrong)
    np.savez("odd.npz", images=plain.images / 16, labels=plain.labels)
    (tmp_path / "old.json").touch()
    (tmp_path / "ipc.cfg").write_text("--ipc=5\n")
    config = Config(dataset="digits", width=4, depth=1, num_eval=1, eval_epochs=3)
    plain.metadata["source"] = to_json(config)
    write_distilled_set("own", plain)
    return tmp_path


def scored(capfd, *arguments):
    """Returns what the command says of a set, and the accuracy."""
    assert main(["hdd-tf evaluate", *arguments, *SMALL]) == 0
    said = capfd.readouterr().out
    return said, re.findall(r"^(\S.*\S) +\d+ +(\d+\.\d+) ±", said, re.MULTILINE)


@pytest.mark.slow
def test_a_foreign_set_is_scored_as_our_own_is(place, plain, digits, capfd, caplog):
    of_plain = ["--set=plain.npz", "--dataset=digits", "--output=score.json"]
    said, of_foreign = scored(capfd, *of_plain)
    assert said.startswith("plain.npz: 20 images of 32x32x1, stored channels first, 2 ")
    assert "digits, 2 per class, a set of another program, seed 0" in said
    own, of_own = scored(capfd, "own")
    assert of_foreign == of_own
    record = read_score(place / "score.json")
    assert f"{record['accuracy']['convnet']['mean']:.2f}" == of_own[0][1]
    assert record["settings"]["eval_epochs"] == record["protocol"]["epochs"] == 3
    assert record["data"]["test_sha256"] == digits.test.checksum
    assert record["set"]["name"] == "plain.npz" and len(record["set"]["sha256"]) == 64
    assert len(record["accuracy"]["convnet"]["per_class"]) == 10
    write_hub(place / "hub", plain)  # Its images are whole numbers from 0 to 255.
    _, of_hub = scored(capfd, "--set=hub", "--dataset=digits")
    assert of_hub == of_own
    settings = given_settings(SMALL) | {"dataset": "digits"}
    result = hdd_tf.evaluate("plain.npz", **settings)
    assert f"{result.mean:.2f}" == of_own[0][1]
    assert any(line.startswith("plain.npz: 20 images of") for line in caplog.messages)
    assert own.partition("\ntrained on")[2].replace("own", "plain.npz") in said


def test_soft_labels_are_learnt_and_baselines_learn_classes(place):
    def evaluation(**told):
        given = given_settings(["--dataset=digits", *SMALL, "--baselines=random"])
        return ForeignScore("soft.npz", given, Told(**told))._evaluation

    protocol = evaluation().scorer.protocol()
    assert (protocol.labels, protocol.loss) == ("stored", "soft")
    told = evaluation().describe_protocol()
    assert told["baseline_labels"] == told["labels"].replace("stored", "hard")
    assert evaluation(labels="hard").scorer.protocol().labels == "hard"


@pytest.mark.parametrize(
    "source, more, said",
    [
        ("plain.npz", {}, "say of which data set, such as dataset='cifar10'$"),
        ("nothing", {"dataset": "digits"}, "^nothing does not exist"),
        ("odd.npz", {"dataset": "digits"}, r"by set_scale='0-255'\|'0-1'\|'-1-1'\|'n"),
        ("plain.npz", {"test": ([], [])}, "give dataset=NAME, and leave test out"),
        ("plain.npz", {"dataset": "digits", "num_eval": 0}, "^num_eval=0 trains"),
        ("plain.npz", {"dataset": "digits", "image_size": 16}, "at by image_size$"),
        (
            "plain.npz",
            {"set_scale": "255"},
            "^set_scale='255' must be one of auto, 0-2",
        ),
        ("plain.npz", {"set_labels": None}, "^set_labels=None must be one of auto, ha"),
        ("plain.npz", {"set_number": 0}, "^set_number=0 must be a whole number from 1"),
        ("plain.npz", {"set_cells": 1.5}, "^set_cells=1.5 must be a whole number fro"),
        ("plain.npz", {"set_cell": 1}, "no setting set_cell; did you mean set_cells"),
        ("own", {"set_cells": 2}, "set of hdd_tf says itself what it holds"),
        (([], []), {"set_number": 2}, "are of the files of other programs"),
    ],
)
def test_python_says_what_is_wrong(place, source, more, said):
    with pytest.raises(InputError, match=said):
        hdd_tf.evaluate(source, **more)


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--set=plain.npz"], "plain.npz is a set of another program: say of which"),
        (["plain.npz"], "plain.npz is a file: give the directory"),
        (["plain.npz"], "--dataset=NAME"),
        (["--set=plain.npz", "plain.npz"], "give one of the two"),
        (["--set=nothing", "--dataset=digits"], "nothing does not exist"),
        (["--set=odd.npz", "--dataset=digits"], "say which by --set_scale"),
        (
            ["--set=plain.npz", "--dataset=digits", "--flagfile=ipc.cfg"],
            "has 2 images of a class",
        ),
        (["--set=plain.npz", "--dataset=digits", "--num_eval=0"], "--num_eval=0"),
        (["--set=plain.npz", "--dataset=digits", "--set_scale=255"], "set_scale"),
        (["--set=plain.npz", "--dataset=digits", "--set_number=0"], "set_number"),
        (["--set=plain.npz", "--dataset=digits", "--image_size=16"], "images of 1x32"),
        (["--set=plain.npz", "--dataset=digits", "--image_lr=1"], "has no effect"),
        (["--set=plain.npz", "--dataset=digits", "--classes=1,2"], "a label 2, and"),
        (["--set=plain.npz", "--dataset=digits", "--scale=255"], "unknown flag"),
        (["--set=plain.npz", "--dataset=digits", "--output=a.txt"], "name in .json"),
        (["--set=plain.npz", "--dataset=digits", "--output=no/a.json"], "no is no fol"),
        (["--set=plain.npz", "--dataset=digits", "--output=old.json"], "name a new fi"),
        (["own", "--output=a.json"], "is for the scores of sets that other programs"),
        (["--set=own", "--set_scale=0-1"], "own says itself what it holds"),
        (["--set_scale=0-1"], "the first argument is the set"),
    ],
)
def test_one_line_says_what_is_wrong(place, capfd, arguments, said):
    before = sorted(place.rglob("*"))
    assert main(["hdd-tf evaluate", *arguments]) == 2
    captured = capfd.readouterr()
    assert said in captured.err and captured.err.count("\n") == 1
    assert not captured.out and sorted(place.rglob("*")) == before
