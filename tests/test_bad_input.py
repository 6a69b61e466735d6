"""Whatever a user can get wrong: one line that helps, exit code 2, nothing written."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

import hdd_tf.errors
from hdd_tf.config import rows
from hdd_tf.evaluate.__main__ import main as evaluate_main
from hdd_tf.files import links, lock
from hdd_tf.main import main
from hdd_tf.settings import parsers

GOOD = ["--flagfile=flags/quickstart.cfg", "--noprogress"]
OVER_ALL = ["--real_bank_size=2", "--bank_over=all"]

# (arguments after GOOD, what the line must say)
CASES = [
    (["--dataset=fashion_mnits"], "fashion_mnist"),
    (["--objective=dmm"], "--objective=dmm"),
    (["--geometry=spherical"], "--geometry=spherical"),
    (["--no_such_flag=1"], "unknown flag --no_such_flag"),
    (["--itterations=5"], "did you mean --iterations?"),
    (["--curvature=0"], "--curvature=0"),
    (["--curvature=1"], "--curvature=1"),
    (["--curvature=minus"], "--curvature=minus"),
    (["--curvature=nan"], "--curvature=nan"),
    (["--ipc=0"], "--ipc=0"),
    (["--ipc=500"], "--ipc=500 is more than the smallest class has"),
    (["--objective=random", "--ipc=500"], "--ipc=500 is more than the smallest class"),
    (["--objective=forgetting", "--coreset_epochs=1"], "give 2 or more"),
    (["--dsa=color_blur"], "--dsa=color_blur: must be none or different names out of"),
    (["--depth=9"], "--depth=9"),
    (["--norm=batch"], "match in --network=convnet --norm=instance"),
    (["--network=resnet18_batch"], "match in --network=resnet18 --norm=instance"),
    (["--eval_networks=convnet,vgg12"], "--eval_networks=convnet,vgg12: must be none"),
    (["--eval_protocol=rded"], "(a teacher), and sets of --objective=dm have none"),
    (["--eval_protocol=rded", "--dry_run"], "sets of --objective=dm have none: leave"),
    (["--objective=rded", "--ipc=400"], "--rded_images=300 draws fewer"),
    (["--objective=rded", "--rded_factor=3"], "do not divide 32x32 images: give"),
    (
        ["--objective=rded", "--rded_factor=5", "--dry_run"],
        "the smallest one has fewer",
    ),
    (["--eval_networks=nowhere:build"], "there is no module nowhere"),
    (["--norm=group", "--width=6"], "give a --width that 4 divides"),
    (["--init=from:nowhere"], "nowhere"),
    (["--init=mean"], "--init=mean"),
    (["--dataset=fashion_mnist", "--data_dir=nothing_here"], "--data_dir"),
    (["--dataset=folder:nowhere"], "--dataset=folder:nowhere: there is no such folder"),
    (
        ["--dataset=digits", "--real_store=disk", "--data_cache=none"],
        "--data_cache names none: give --data_cache=DIR",
    ),
    (["--dataset=folder:"], "--dataset=folder:: must be a name or folder:DIR"),
    (["--dataset=folder:full"], "full has no class folders"),
    (
        ["--dataset=folder:pets", "--run_dir=pets/run"],
        "--run_dir=pets/run lies in the image folder",
    ),
    (["--dataset=folder:.", "--run_dir=run"], "where run would be a class"),
    (
        ["--dataset=folder:pets", "--data_cache=pets/cache", "--dry_run"],
        "--data_cache=pets/cache lies in the image folder",
    ),
    (
        ["--dataset=folder:pets", "--expert_dir=pets/cat/x"],
        "cat would be a class",
    ),
    (
        ["--dataset=folder:pets", "--expert_dir=pets"],
        "what it keeps would be a class",
    ),
    (
        ["--dataset=folder:only", "--run_dir=only/run"],
        "run would hide the folders",
    ),
    (
        ["--objective=rded", "--zca", "--rded_factor=2"],
        "--rded_factor=2 scores parts of images",
    ),
    (["--objective=gvbsm", "--zca", "--ipc=1"], "--zca is not for --objective=gvbsm"),
    (["--iterations=10000000000000000"], "must be a positive integer, 2,147,483,647"),
    (["--iterations_per_network=9223372036854775808"], "2,147,483,647 at most"),
    (["--dataset=full/thesis"], "folder:DIR"),
    (["--classes=0,10"], "there is no class 10; the data set has 0 (0), 1 (1)"),
    (["--classes=0,name:12"], "there is no class name:12; the data set has 0 (0)"),
    (["--classes=4"], "--classes=4: must be empty (all), or two or more"),
    (["--image_size=32by32"], "--image_size=32by32: must be"),
    (["--flagfile=broken.cfg"], "broken.cfg:2: 'ipc=3' is not a flag"),
    (["--flagfile=missing.cfg"], "missing.cfg does not exist"),
    (["--objective=mtt", "--norm=group"], "right gradient of a gradient: give --norm"),
    (
        ["--objective=rded", "--expert_dir=a_file/below"],
        "--expert_dir=a_file/below: a_file is a file: name a directory",
    ),
    # Root may write there, by its mode, and still nobody can.
    (
        ["--objective=rded", "--expert_dir=/proc/nothing", "--dry_run"],
        "--expert_dir=/proc/nothing: /proc cannot be written to: name another place",
    ),
    # The encoder of the analysis would be kept there, after the run.
    (["--expert_dir=/proc/nothing"], "/proc cannot be written to: name another place"),
    (["--run_dir=/proc/nothing"], "--run_dir=/proc/nothing: /proc cannot be written"),
    (
        [*OVER_ALL, "--bank_dir=a_file/below"],
        "--bank_dir=a_file/below: a_file is a file: name a directory",
    ),
    ([*OVER_ALL, "--bank_dir=/proc/nothing"], "--bank_dir=/proc/nothing: /proc cannot"),
    ([*OVER_ALL, "--objective=idm"], "revisits networks and what they made"),
    (
        [*OVER_ALL, "--objective=dsa", "--dc_updates=1"],
        "those of --objective=dsa (with these settings) cannot be merged: leave it at",
    ),
    (["--run_dir=a_file"], "a_file"),
    (["--run_dir=a_file/below"], "a_file"),
    (["--run_dir=full"], "full holds other things"),
    (["--eval_every=1", "--iterations=2"], "--validation_fraction"),
    (["digits"], "'digits' is not a flag"),
    (["--num_experiments=2", "--run_dir=full"], "full holds other things"),
    (["--width=99999999999"], "--width=99999999999: must be an integer in the range"),
    (
        ["--width=1000000"],
        "--width=1000000 --depth=3: the network with the maps of one",
    ),
    (["--ipc=99999999999", "--init=noise"], "--ipc=99999999999: the set of 999,999,"),
    (["--idm_pool_size=999999", "--objective=idm"], "--idm_pool_size=999999: the pool"),
    (
        ["--idm_train_steps=9999", "--idm_train_batch=9999"],
        "--idm_train_steps=9999 x --idm_train_batch=9999 draws 99,980,001 images",
    ),
]
# Longer than file systems allow, which would fail only where the path is used.
CASES += [
    ([f"--{name}={before}{'a' * 300}"], f"--{name}={before}aaa")
    for name, before in (
        *(
            ("run_dir", "new/"),
            ("data_cache", ""),
            ("data_dir", ""),
            *(("expert_dir", ""), ("bank_dir", "")),
        ),
        *(("dataset", "folder:"), ("init", "from:")),
    )
]
# What takes memory or work each cannot be as many as one likes.
CASES += [
    ([f"--{name}=99999999999"], f"--{name}=99999999999: must be an integer in the")
    for name, row in rows().items()
    if row.parser in (parsers.FEW, parsers.FEW_OR_ZERO, parsers.DEVICES)
    and name != "width"
]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A directory with things that must survive, as working directory."""
    (tmp_path / "broken.cfg").write_text("--dataset=digits\nipc=3\n")
    (tmp_path / "a_file").write_text("precious")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.txt").write_text("precious")
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        (tmp_path / "pets" / name / "0.png").write_bytes(b"")
        (tmp_path / "only/images/train" / name).mkdir(parents=True)
    (tmp_path / "latin.cfg").write_bytes(b"# caf\xe9\n--dataset=digits\n")
    (tmp_path / "photo.png").write_text("precious")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(place):
    return {
        path.relative_to(place): path.read_bytes() if path.is_file() else None
        for path in place.rglob("*")
    }


@pytest.mark.parametrize(
    "arguments, said", CASES, ids=[" ".join(c[0])[:60] for c in CASES]
)
def test_one_line_exit_two_nothing_written(place, capfd, arguments, said):
    before = contents(place)
    code = main(["hdd_tf", *GOOD, *arguments])
    captured = capfd.readouterr()
    assert code == 2
    assert said in captured.err
    assert captured.err.startswith("hdd_tf: ") and captured.err.count("\n") == 1
    assert contents(place) == before


@pytest.mark.parametrize("held", ["run", "run/seed1", "run/seed0"])
def test_directory_in_use_by_another_run(place, capfd, held):
    arguments = [] if held == "run/seed0" else ["--num_experiments=2", "--seed=1"]
    with lock.locked(place / held):
        before = contents(place)
        run_dir = "run/seed0" if held == "run/seed0" else "run"
        code = main(["hdd_tf", *GOOD, *arguments, f"--run_dir={run_dir}"])
        assert contents(place) == before
    captured = capfd.readouterr()
    assert code == 2 and captured.err.count("\n") == 1
    assert f"{held} is in use by process {os.getpid()} on " in captured.err
    assert not (place / "run").exists()


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--num_eval=3"], "the first argument is the set"),
        (["nowhere"], "nowhere does not exist"),
        (["full"], "full is no distilled set"),
        (["a_file"], "a_file is a file"),
        (["~/set"], "/nobody/set does not exist"),
        (["--set=~/set.npz", "--dataset=digits"], "/nobody/set.npz"),
    ],
)
def test_evaluate_says_what_is_wrong(place, capfd, monkeypatch, arguments, said):
    monkeypatch.setenv("HOME", "/nobody")
    before = contents(place)
    assert evaluate_main(["evaluate", *arguments]) == 2
    captured = capfd.readouterr()
    assert said in captured.err and captured.err.count("\n") == 1
    assert contents(place) == before


@pytest.mark.parametrize(
    "words",
    [
        ["export", "--run_dir=LONG", "--output_dir=x"],
        ["export", "--set=full", "--output_dir=LONG/below"],
        ["export", "hub", "--set=full", "--output_dir=LONG"],
        ["export", "saved_model", "--run_dir=full", "--output_dir=LONG"],
        ["export", "projector", "--run_dir=full", "--output_dir=LONG"],
        ["evaluate", "--set=LONG", "--dataset=digits"],
        ["evaluate", "LONG", "--dataset=digits"],
        ["evaluate", "--set=a_file", "--dataset=digits", "--output=LONG.json"],
        ["report", "full", "--output=LONG.md"],
        ["report", "full", "--plot=LONG.png"],
    ],
    ids=" ".join,
)
def test_a_path_that_is_too_long_is_named_with_the_limit(place, capfd, words):
    before = contents(place)
    assert main(["hdd_tf", *(word.replace("LONG", "a" * 300) for word in words)]) == 2
    captured = capfd.readouterr()
    assert "aaa...: too long a path" in captured.err and "255 bytes" in captured.err
    assert captured.err.count("\n") == 1 and contents(place) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            [*GOOD, "--run_dir=closed/new/run"],
            "--run_dir=closed/new/run: closed cannot",
        ),
        # An unfinished run, or an empty directory.
        ([*GOOD, "--run_dir=closed"], "--run_dir=closed: closed cannot"),
        (
            ["export", "hub", "--set=full", "--output_dir=closed/x"],
            "--output_dir=closed/x:",
        ),
        (
            ["export", "saved_model", "--run_dir=full", "--output_dir=closed"],
            "=closed: cl",
        ),
        (
            ["report", "full", "--output=closed/x.md"],
            "--output=closed/x.md: closed cannot",
        ),
        (
            ["report", "full", "--plot=closed/x.png"],
            "--plot=closed/x.png: closed cannot",
        ),
        (
            ["evaluate", "--set=a_file", "--dataset=digits", "--output=closed/x.json"],
            "--output=closed/x.json: closed cannot",
        ),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
def test_where_nothing_can_be_written_is_said_first(
    place, capfd, monkeypatch, words, said
):
    (place / "closed").mkdir()
    (place / "closed" / "config.json").write_text("{}")
    access = os.access
    # Root may write everywhere, whatever the mode says.
    monkeypatch.setattr(
        os,
        "access",
        lambda path, mode: "closed" not in str(path) and access(path, mode),
    )
    before = contents(place)
    assert main(["hdd_tf", *words]) == 2
    captured = capfd.readouterr()
    assert said in captured.err and captured.err.count("\n") == 1
    assert contents(place) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["export", "full", "--output_dir=x", "--flagfile=latin.cfg"], "is not UTF-8"),
        (
            ["report", "full", "--flagfile=latin.cfg"],
            "flag file latin.cfg is not UTF-8",
        ),
        (["report", "full", "--flagfile=pets"], "--flagfile=pets is a directory"),
        (["report", "full", "--plot=photo.png"], "is there already, and is no picture"),
        (["report", "~/runs"], "/nobody/runs' is not a directory"),
        (["export", "--set=~/set", "--output_dir=x"], "/nobody/set does not exist"),
        (
            ["export", "--set=full", "--output_dir=x", "--keep_fraction=nan"],
            "--keep_fraction=nan keeps nothing",
        ),
    ],
    ids=lambda each: each[-1] if isinstance(each, list) else "",
)
def test_exports_and_reports_say_what_is_wrong(place, capfd, monkeypatch, words, said):
    monkeypatch.setenv("HOME", "/nobody")
    before = contents(place)
    assert main(["hdd_tf", *words]) == 2
    captured = capfd.readouterr()
    assert said in captured.err and captured.err.count("\n") == 1
    assert contents(place) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([*GOOD, "--run_dir=full/run"], "--run_dir=full/run"),
        (["report", "full", "--output=full/x.md"], "--output=full/x.md"),
    ],
)
def test_a_disk_without_room_is_told_first(place, capfd, monkeypatch, words, said):
    full = pathlib.Path("/dev/full")
    monkeypatch.setattr(
        links.tempfile, "TemporaryFile", lambda **_: full.open("wb", buffering=0)
    )
    before = contents(place)
    assert main(["hdd_tf", *words]) == 2
    captured = capfd.readouterr()
    assert captured.err == (
        f"hdd_tf: {said}: there is no room in full: make some, or name another place\n"
    )
    assert contents(place) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_unwritable_run_dir(place, capfd):
    (place / "locked").mkdir(mode=0o500)
    assert main(["hdd_tf", *GOOD, "--run_dir=locked/run"]) == 2
    assert "locked/run" in capfd.readouterr().err


@pytest.mark.slow
def test_what_is_plainly_wrong_is_answered_without_loading_tensorflow(tmp_path):
    # What makes the answer instant.
    code = (
        "import sys; from hdd_tf.main import main; import hdd_tf.files.lock as lock\n"
        "with lock.locked('busy'):\n"
        "    codes = [main(['hdd_tf', *words]) for words in (['--ipc=0'], "
        "['--dataset=cifarr10'], ['--dataset=digits', '--run_dir=busy'], "
        "['evaluate', 'nowhere'], ['export', '--set=nowhere', '--output_dir=x'])]\n"
        "slow = {'tensorflow', 'tensorflow_datasets'} & set(sys.modules)\n"
        "sys.exit(10 if slow or set(codes) != {2} else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for said in ("did you mean cifar10", "busy is in use", "nowhere does not exist"):
        assert said in done.stderr


def test_warnings_are_said_in_one_place():
    """Names of files are part of them, and `errors.warn` escapes what is in a name."""
    root = pathlib.Path(hdd_tf.errors.__file__).parent
    said = [
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if re.search(r"\.warning\(|warnings\.warn\(", path.read_text("utf-8"))
    ]
    assert said == ["errors.py"]


def test_a_warning_is_one_line_that_moves_no_cursor(caplog):
    hdd_tf.errors.warn("left out: A\x1b[2J\r\n100%s.png")
    assert [record.message for record in caplog.records] == [
        r"left out: A\x1b[2J 100%s.png"
    ]
