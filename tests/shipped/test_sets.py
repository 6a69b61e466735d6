"""The distilled sets that come with hdd_tf: whole, listed, and found by their names."""

import importlib
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import hdd_tf
from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.sets.initial_images import initial_images
from hdd_tf.artifacts.sets.set_metadata import read_metadata
from hdd_tf.config import Config, from_json, identity
from hdd_tf.data.class_store import ClassStore
from hdd_tf.data.normalisation import Normalisation
from hdd_tf.errors import InputError
from hdd_tf.files import checksums
from hdd_tf.main import main
from hdd_tf.shipped import catalogue
from hdd_tf.shipped.naming import place_of_set

NAMES = catalogue.shipped_names()
MOST_BYTES = 10_000_000
ROOT = pathlib.Path(__file__).parents[2]


def commands():
    """The lines of distilled/commands.txt: flags by the set's name."""
    text = (catalogue.shipped_directory() / "commands.txt").read_text("utf-8")
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    return {line[0]: line[1:] for line in lines if line}


def test_each_is_listed_with_the_command_that_makes_it():
    assert sorted(commands()) == NAMES == [each.name for each in hdd_tf.sets()]
    for each in hdd_tf.sets():
        assert each.command == shlex.join(["hdd-tf", *commands()[each.name]])
        assert len(each.revision) == 40  # A commit, and nothing edited.
        assert each.name.startswith(f"{each.dataset}_ipc{each.ipc}_")
    assert sum(each.bytes for each in hdd_tf.sets()) < MOST_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_each_is_whole_and_says_what_it_is(name):
    given = hdd_tf.load(name, images="stored")
    (about,) = [each for each in hdd_tf.sets() if each.name == name]
    classes = len(given.class_names)
    assert np.array_equal(np.bincount(given.labels), [about.ipc] * classes)
    assert given.images.shape == (about.images, *about.shape)
    assert given.images.dtype == np.float32 and np.isfinite(given.images).all()
    # Better than chance by far, and than random real images where they were scored.
    assert about.mean > max(200 / classes, about.real_mean or 0)
    # Its settings are those of its command, and name no place on a machine.
    config = from_json(given.metadata["source"])
    assert (list(config.baselines) == ["random"]) == ("=random" in about.command)
    assert (config.num_eval, config.eval_epochs) == (about.networks, about.epochs)
    assert not [
        value
        for value in given.metadata["source"].values()
        if isinstance(value, str) and value.startswith(("/", "~"))
    ]
    notice = (about.directory.parent / "NOTICE.md").read_text("utf-8")
    assert f"\n## {about.dataset}\n" in notice and about.terms


def test_a_changed_file_is_refused(tmp_path):
    directory = tmp_path / "set"
    shutil.copytree(catalogue.shipped_directory() / NAMES[0], directory)
    metadata, _ = read_metadata(directory / "hdd_tf.json")
    checksums.verify_files(directory, metadata["files"])
    with (directory / "distilled.npz").open("r+b") as file:
        file.seek(-100_000, os.SEEK_END)
        file.write(b"\0\1\2\3")
    with pytest.raises(InputError, match="checksum"):
        hdd_tf.load(directory)


def test_an_unknown_name_lists_the_sets_the_nearest_first():
    with pytest.raises(InputError) as raised:
        hdd_tf.load("digits_ipc10_dm_hddd")
    said = str(raised.value)
    assert "\n" not in said and all(name in said for name in NAMES)
    assert said.partition("comes with hdd_tf: ")[2].startswith("digits_ipc10_dm_hdd, ")
    for call in (hdd_tf.evaluate, lambda name: hdd_tf.export(name, "somewhere")):
        with pytest.raises(InputError, match="digits_ipc10_dm_hdd, "):
            call("digits_ipc10_dm_hddd")


def test_a_directory_of_the_name_is_meant_where_there_is_one(tmp_path, monkeypatch):
    name = "digits_ipc10_dm"
    shipped = catalogue.shipped_directory() / name
    monkeypatch.chdir(tmp_path)
    assert place_of_set(name) == str(shipped)
    shutil.copytree(catalogue.shipped_directory() / "digits_ipc10_dm_hdd", name)
    assert place_of_set(name) == name
    assert hdd_tf.load(name).metadata["geometry"] == "hyperbolic"


@pytest.mark.parametrize("path", ["a/b", "x.npz", "./digits_ipc10_dm", "/nowhere", ""])
def test_a_path_is_left_as_it_is(path):
    assert place_of_set(path) == path


def test_images_start_from_one_by_its_name():
    name = "digits_ipc10_dm_hdd"
    given = hdd_tf.load(name, images="stored")
    images = np.zeros([10, 32, 32, 1], np.uint8)
    normalisation = Normalisation((0.5,), (0.25,))
    store = ClassStore(images, np.arange(10), 10, normalisation)
    start = initial_images(f"from:{name}", store, 10, 0, 10)
    pixels = (np.asarray(start) * 0.25 + 0.5) * 255
    order = np.argsort(given.labels, kind="stable")
    np.testing.assert_allclose(
        pixels.reshape(100, 32, 32, 1), given.images[order], atol=1e-3
    )
    with pytest.raises(InputError, match="from:digits_ipc10_dm holds 100"):
        initial_images("from:digits_ipc10_dm", store, 5, 0, 10)
    with pytest.raises(InputError, match="comes with hdd_tf: digits_ipc10_dm"):
        initial_images("from:digit_ipc10_dm", store, 10, 0, 10)


def test_the_command_lists_them_and_tells_of_one(capsys):
    assert main(["hdd-tf", "sets"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("set ") and [row.split()[0] for row in rows] == NAMES
    assert main(["hdd-tf", "sets", "digits_ipc10_dm_hdd"]) == 0
    said = capsys.readouterr().out
    assert "120 iterations" in said and "--flagfile=flags/quickstart.cfg" in said
    assert "% on the test split (3 x 300 epochs, convnet, width 32)\n" in said
    assert f"{catalogue.shipped_directory() / 'digits_ipc10_dm_hdd'}\n" in said
    assert main(["hdd-tf", "sets", "digits"]) == 2
    assert "there are digits_ipc10_dm, " in capsys.readouterr().err
    assert main(["hdd-tf", "sets", "--all"]) == 2
    assert "usage: hdd-tf sets [NAME]" in capsys.readouterr().err


def test_a_damaged_description_is_one_line(tmp_path, monkeypatch):
    directory = tmp_path / "broken"
    directory.mkdir()
    (directory / "about.json").write_text("{}")
    (directory / "hdd_tf.json").write_text("{}")
    monkeypatch.setattr(catalogue, "shipped_directory", lambda: tmp_path)
    with pytest.raises(InputError, match="broken, which comes with hdd_tf, is damaged"):
        hdd_tf.sets()


@pytest.mark.parametrize(
    "words",
    [
        ["export", "digits_ipc10_dm", "--encoding=png_folder"],
        ["export", "tfrecord", "--set=digits_ipc10_dm", "--encoding=npz"],
        ["export", "hub", "digits_ipc10_dm"],
    ],
    ids=" ".join,
)
def test_they_are_exported_by_their_names(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["hdd-tf", *words, "--output_dir=out"]) == 0
    assert "digits" in capsys.readouterr().out
    assert any((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    "words", [["evaluate"], ["export", "--output_dir=x"], ["export", "hub"]]
)
def test_a_misspelt_name_is_one_line(words, capsys):
    assert main(["hdd-tf", *words, "--set=digits_ipc10_dn"]) == 2
    said = capsys.readouterr().err
    assert "comes with hdd_tf: digits_ipc10_dm, " in said and said.count("\n") == 1


@pytest.mark.slow
def test_a_name_is_scored(capsys):
    words = ["--num_eval=1", "--eval_epochs=1", "--baselines=none", "--noprogress"]
    assert main(["hdd-tf", "evaluate", "--set=digits_ipc10_dm", *words]) == 0
    assert "distilled (convnet)" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    "dataset",
    [
        name if name == "digits" else pytest.param(name, marks=pytest.mark.stress)
        for name in sorted({name.split("_ipc")[0] for name in NAMES})
    ],
)
def test_eight_epochs_on_one_recognise_the_other_sets_of_its_data(dataset):
    """No data set is read: what is tested on are the images of the other sets."""
    own = [each for each in hdd_tf.sets() if each.dataset == dataset]
    learnt, *others = sorted(own, key=lambda each: -each.images)
    # Its own images, where it is the only one.
    tested = [hdd_tf.load(each.name) for each in others or [learnt]]
    images = np.concatenate([each.images for each in tested])
    labels = np.concatenate([each.labels for each in tested])
    score = hdd_tf.evaluate(
        learnt.name,
        test=(np.rint(np.clip(images, 0, 255)).astype(np.uint8), labels),
        num_eval=1,
        eval_epochs=8,
        eval_batch=8,
        baselines=(),
        width=32,
        progress=False,
    )
    assert score.mean > 2 * 100 / len(tested[0].class_names)


@pytest.mark.slow
def test_the_layout_of_a_wheel_has_them_without_tensorflow(tmp_path):
    """distilled/ is the package hdd_tf.distilled_sets there."""
    package = pathlib.Path(catalogue.__file__).parents[1]
    for path in package.rglob("*.py"):
        target = tmp_path / "site/hdd_tf" / path.relative_to(package)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    installed = tmp_path / "site/hdd_tf/distilled_sets"
    shutil.copytree(catalogue.shipped_directory(), installed)
    # Some other package's folder of that name must not be taken.
    (tmp_path / "site/distilled/other").mkdir(parents=True)
    (tmp_path / "site/distilled/other/about.json").write_text("{}")
    program = (
        "import json, sys, hdd_tf\n"
        "print(json.dumps([str(each.directory) for each in hdd_tf.sets()]))\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stderr == ""
    assert json.loads(result.stdout) == [str(installed / name) for name in NAMES]


@pytest.fixture
def program(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("ship_sets")


def test_real_images_may_be_scored_after_the_run(program, tmp_path, monkeypatch):
    own = identity(Config(dataset="digits", eval_epochs=20))
    directory = RunDirectory(tmp_path)
    monkeypatch.setattr(RunDirectory, "read_config", lambda given: {"identity": own})

    def entry(values, network="convnet", **changes):
        return {
            "settings": own | changes,
            "protocol": {"baseline_network": network},
            "baselines": {"random": {"values": values}} if values else {},
        }

    records = [entry([])]
    monkeypatch.setattr(program, "records_of", lambda given: records)
    assert program.real_score(directory, "convnet", 2) is None
    records += [entry([1, 2], eval_epochs=10), entry([3, 4, 5])]
    records += [entry([8, 9], "resnet18", eval_networks=["resnet18"])]
    assert program.real_score(directory, "convnet", 2) is None
    records += [entry([6, 7], baselines=["random"])]
    assert program.real_score(directory, "convnet", 2) == {"values": [6, 7]}


def test_pictures_and_table_are_those_of_the_sets(program, tmp_path, monkeypatch):
    document = ROOT / "docs" / "sets.md"
    monkeypatch.setattr(program, "DOCUMENT", tmp_path / "sets.md")
    shutil.copy(document, program.DOCUMENT)
    monkeypatch.setattr(program, "PICTURES", tmp_path / "sets")
    program.draw()
    program.tabulate()
    assert program.DOCUMENT.read_text("utf-8") == document.read_text("utf-8")

    def sizes(directory):
        found = {}
        for file in directory.iterdir():
            with Image.open(file) as picture:
                found[file.name] = picture.size
        return found

    assert sizes(program.PICTURES) == sizes(document.with_suffix(""))
