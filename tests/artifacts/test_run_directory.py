import json
import os
import pathlib
import resource

import pytest

from hdd_tf.artifacts.run_directory import RunDirectory
from hdd_tf.artifacts.sets import set_ownership
from hdd_tf.errors import InputError
from hdd_tf.files import links
from tests.whole_result import FAIR_SCORE, SCORE, whole_result

IDENTITY = {"dataset": "digits", "curvature": -1 / 3, "iterations": 100}
CONFIG = {**IDENTITY, "data_dir": None, "layers": (3, 4)}
ENVIRONMENT = {"libraries": {"numpy": "2.0"}, "devices": ["/cpu:0"]}
DATA = {"name": "digits", "label_names": ["0", "1"], "mean": (0.1,), "std": (0.2,)}


def start(path, identity=None, environment=ENVIRONMENT, flags="--ipc=1\n"):
    """Opens or creates as a run with these settings does."""
    identity = {**IDENTITY, **(identity or {})}
    run = RunDirectory(path)
    run.open_or_create({**CONFIG, **identity}, identity, flags, environment, DATA)
    return run


def contents(directory):
    return {
        str(path.relative_to(directory)): path.is_file() and path.read_bytes()
        for path in directory.rglob("*")
    }


def test_a_new_run_records_what_it_is(tmp_path):
    run = start(tmp_path / "runs" / "a")
    record = json.loads((tmp_path / "runs" / "a" / "config.json").read_text("utf-8"))
    assert record == run.read_config()
    assert record["config"]["curvature"] == -1 / 3
    assert record["config"]["layers"] == [3, 4]
    assert record["environment"] == ENVIRONMENT
    assert record["data"]["mean"] == [0.1]
    assert run.flags_file.read_text() == "--ipc=1\n"


def test_places_inside(tmp_path):
    run = RunDirectory(tmp_path)
    places = [run.checkpoints, run.tensorboard, run.pictures, run.synthetic]
    assert [place.name for place in places] == [
        "checkpoints",
        "tensorboard",
        "pictures",
        "synthetic",
    ]
    assert all(place.parent == tmp_path for place in places)
    assert list(tmp_path.iterdir()) == []


def test_the_same_run_continues_and_keeps_what_it_has(tmp_path):
    run = start(tmp_path)
    run.checkpoints.mkdir()
    (run.checkpoints / "ckpt-1").write_text("weights")
    before = contents(tmp_path)
    start(tmp_path)
    assert contents(tmp_path) == before


def test_later_environments_are_kept_beside_the_first(tmp_path):
    later = {**ENVIRONMENT, "libraries": {"numpy": "2.1"}}
    for environment in (ENVIRONMENT, later, ENVIRONMENT, later):
        run = start(tmp_path, environment=environment)
    assert run.read_config()["environment"] == ENVIRONMENT
    assert run.read_config()["later_environments"] == [later]


def test_the_data_stays_known_when_a_later_start_does_not_say_it(tmp_path):
    run = start(tmp_path)
    run.open_or_create(CONFIG, IDENTITY, "", ENVIRONMENT)
    assert run.read_config()["data"]["label_names"] == ["0", "1"]


@pytest.mark.parametrize(
    "change", [{"mean": (0.3,)}, {"training_sha256": "b", "test_images": 4}]
)
def test_other_data_are_refused_and_named(tmp_path, change):
    data = {**DATA, "training_sha256": "a", "test_images": 3}
    run = RunDirectory(tmp_path)
    run.open_or_create(CONFIG, IDENTITY, "", ENVIRONMENT, data)
    before = contents(tmp_path)
    with pytest.raises(InputError, match="other data") as caught:
        run.open_or_create(CONFIG, IDENTITY, "", ENVIRONMENT, {**data, **change})
    named = str(caught.value).split("different ")[1].split(")")[0].split(", ")
    assert set(named) == set(change)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "spelt", ["pets/", "./pets", "../{here}/pets", "{root}/pets", "{root}/link"]
)
@pytest.mark.parametrize("sums", [{}, {"training_sha256": "a", "test_sha256": "b"}])
def test_a_folder_is_the_same_however_it_is_spelt(tmp_path, monkeypatch, spelt, sums):
    (tmp_path / "pets").mkdir()
    (tmp_path / "link").symlink_to("pets")
    monkeypatch.chdir(tmp_path)
    run = RunDirectory("run")
    first = {**IDENTITY, "dataset": "folder:pets"}
    data = {**DATA, "name": "folder:pets", **sums}
    run.open_or_create(first, first, "", ENVIRONMENT, data)
    spelt = spelt.format(here=tmp_path.name, root=tmp_path)
    again = {**IDENTITY, "dataset": f"folder:{spelt}"}
    now = {**DATA, "name": "folder:link" if "link" in spelt else "folder:pets", **sums}
    run.check(again, now)
    with pytest.raises(InputError, match="--curvature"):
        run.check({**again, "curvature": -1.0}, now)
    with pytest.raises(InputError, match="different mean"):
        run.check(again, {**now, "mean": (0.3,)})


def test_a_folder_of_the_same_images_is_the_same_run_and_no_other(tmp_path):
    run = RunDirectory(tmp_path / "run")
    first = {**IDENTITY, "dataset": "folder:pets"}
    data = {**DATA, "name": "folder:pets", "training_sha256": "a"}
    run.open_or_create(first, first, "", ENVIRONMENT, data)
    moved = {**IDENTITY, "dataset": "folder:elsewhere"}
    run.open_or_create(moved, moved, "", ENVIRONMENT, {**data, "name": "folder:x"})
    assert run.read_config()["config"]["dataset"] == "folder:elsewhere"
    for other in ({**data, "training_sha256": "b"}, None):
        with pytest.raises(InputError, match="--dataset: folder:elsewhere -> folder:p"):
            run.check(first, other)
    with pytest.raises(InputError, match="--dataset: folder:elsewhere -> digits"):
        run.check({**IDENTITY, "dataset": "digits"}, data)


def test_what_an_earlier_version_did_not_record_of_the_data_is_added(tmp_path):
    run = start(tmp_path)
    data = {**DATA, "training_sha256": "a"}
    run.open_or_create(CONFIG, IDENTITY, "", ENVIRONMENT, data)
    assert run.read_config()["data"]["training_sha256"] == "a"
    with pytest.raises(InputError, match="different training_sha256"):
        run.check(IDENTITY, {**data, "training_sha256": "b"})


def test_iterations_may_grow(tmp_path):
    start(tmp_path)
    run = start(tmp_path, {"iterations": 250}, flags="--iterations=250\n")
    assert run.read_config()["config"]["iterations"] == 250
    assert run.flags_file.read_text() == "--iterations=250\n"


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        ({"curvature": -1.0}, "--curvature: -0.3333333333333333 -> -1.0"),
        ({"dataset": "svhn"}, "--dataset: digits -> svhn"),
        ({"iterations": 50}, "--iterations: 100 -> 50"),
        ({"lift": "project"}, "--lift: not set -> project"),
        (
            {"dataset": "svhn", "iterations": 50},
            "--dataset: digits -> svhn, --iterations: 100 -> 50",
        ),
    ],
)
def test_another_run_is_refused_naming_the_flags(tmp_path, identity, message):
    start(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(InputError) as caught:
        start(tmp_path, identity)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    # A value that only grew is no difference to complain about.
    assert "250" not in str(caught.value)
    assert contents(tmp_path) == before


def test_growth_does_not_hide_other_differences(tmp_path):
    start(tmp_path)
    with pytest.raises(InputError) as caught:
        start(tmp_path, {"iterations": 250, "dataset": "svhn"})
    assert "--dataset" in str(caught.value)
    assert "--iterations" not in str(caught.value)


def test_a_directory_with_other_things_is_not_looked_through(tmp_path, monkeypatch):
    # Such as a home or `/`: it takes long, and links out of it are no fault there.
    (tmp_path / "thesis.txt").write_text("mine")
    (tmp_path / "link").symlink_to("/")

    def walk(directory):
        raise AssertionError("everything below is listed")

    monkeypatch.setattr(links, "entries_below", walk)
    monkeypatch.setattr(set_ownership, "entries_below", walk)
    with pytest.raises(InputError, match=r"holds other things \(link\)"):
        start(tmp_path)
    assert not set_ownership.is_distilled_set(tmp_path)


def test_a_directory_with_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(InputError, match=r"holds other things \(thesis.txt\)"):
        start(tmp_path)
    assert contents(tmp_path) == before


def test_an_empty_or_barely_begun_directory_is_taken(tmp_path):
    (tmp_path / ".config.json.partial-0123456789ab").write_text("{")
    start(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["config.json", "flags.cfg"]


def test_files_in_the_way_are_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(InputError, match="Not a directory") as caught:
            start(place)
        assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_directory_that_cannot_be_made_is_refused():
    # Nobody, root included, can make directories there.
    with pytest.raises(InputError, match="cannot use run_dir /proc/run"):
        start("/proc/run")


def test_a_full_disk_is_refused_with_the_advice_to_make_room(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # No file may grow beyond this, as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(InputError, match=r"File too large.*make room there"):
            start(tmp_path / "run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert contents(tmp_path / "run") == {}
    start(tmp_path / "run")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_without_write_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InputError, match="Permission denied"):
            start(tmp_path)
    finally:
        tmp_path.chmod(0o700)


def test_a_write_that_the_system_denies_is_refused(tmp_path, monkeypatch):
    def denied(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    start(tmp_path / "earlier")
    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "open", denied)
        with pytest.raises(InputError, match=r"Permission denied.*--run_dir"):
            start(tmp_path / "new")
    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(InputError, match=r"Permission denied.*--run_dir"):
        start(tmp_path / "earlier")


@pytest.mark.parametrize("text", ["{", "[]", '{"config": {}}', "\0"])
def test_a_foreign_config_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match="damaged or not of hdd_tf"):
        start(tmp_path)
    with pytest.raises(InputError, match="damaged or not of hdd_tf"):
        RunDirectory(tmp_path).read_config()
    assert (tmp_path / "config.json").read_text() == text


def test_reading_the_config_of_no_run_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    for name, message in [("none", "no config.json"), ("file", "Not a directory")]:
        with pytest.raises(InputError, match=message):
            RunDirectory(tmp_path / name).read_config()


def test_a_result_is_read_as_it_was_written(tmp_path):
    run = start(tmp_path)
    assert run.read_result() is None
    run.write_result(whole_result(iterations=100))
    assert run.read_result() == whole_result(iterations=100)


@pytest.mark.parametrize(
    "changes",
    [
        {"iterations": True}, {"iterations": -1}, {"ipc": "many"}, {"seed": 1e400},
        {"accuracy": 5}, {"accuracy": {"convnet": 5}}, {"baselines": None},
        {"accuracy": {"convnet": {**SCORE, "values": [10**400]}}}, {"seconds": 5},
        {"accuracy": {"convnet": {**SCORE, "values": []}}}, {"objective": {}},
        {"seconds": {"distil": float("nan")}}, {"selected": {}}, {"fair_score": 5},
        {"fair_score": {**FAIR_SCORE, "lrs": 2}}, {"best_on_test": 7},
        {"fair_score": {**FAIR_SCORE, "accuracy": {}}}, {"dataset": "\ud800"},
    ],
    ids=str,
)  # fmt: skip
def test_a_result_of_another_kind_is_none(tmp_path, changes):
    run = start(tmp_path)
    good = whole_result(fair_score=FAIR_SCORE)
    run.result_file.write_text(json.dumps(good))
    assert run.read_result() == good
    run.result_file.write_text(json.dumps({**good, **changes}))
    assert run.read_result() is None


@pytest.mark.parametrize("text", ["", '{"iterations": 10', "[100]", '{"seconds": 3}'])
def test_half_a_result_is_none(tmp_path, text):
    run = start(tmp_path)
    run.result_file.write_text(text)
    assert run.read_result() is None


def test_a_result_must_say_its_iterations(tmp_path):
    run = start(tmp_path)
    with pytest.raises(KeyError, match="iterations"):
        run.write_result({"accuracy": 0.5})
    assert not run.result_file.exists()


def test_a_lock_is_nobodys_work(tmp_path):
    (tmp_path / ".lock").write_text("123 host")
    start(tmp_path)
    assert (tmp_path / "config.json").exists()
