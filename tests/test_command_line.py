"""Tests of the command line: bad input in one line, default run directory, help."""

import dataclasses
import pathlib

import pytest
from absl import flags

from hdd_tf.arguments.command_line import check_scoring_flags, parse_command_line
from hdd_tf.config import Config
from hdd_tf.errors import InputError


def test_overrides_in_both_forms_and_switches():
    config = parse_command_line(
        ["main", "--dataset=digits", "--curvature", "-1/3", "-ipc=2", "--noprogress"]
    )
    expected = Config(dataset="digits", curvature=-1 / 3, ipc=2, progress=False)
    assert config == dataclasses.replace(expected, run_dir=config.run_dir)


@pytest.mark.parametrize(
    ("words", "run_dir"),
    [
        (["--dataset=digits"], "runs/digits_ipc10_dm_hyperbolic_seed0"),
        (["--dataset=a/b:1.0.0"], "runs/a_b_1_0_0_ipc10_dm_hyperbolic_seed0"),
        (
            ["--flagfile=svhn_ipc1", "--geometry=euclidean", "--seed=5"],
            "runs/svhn_ipc1_dm_euclidean_seed5",
        ),
        (
            ["--flagfile=svhn_ipc1", "--objective=k_center"],
            "runs/svhn_ipc1_k_center_seed0",
        ),
        (["--flagfile=svhn_ipc1", "--run_dir=here"], "here"),
    ],
)
def test_default_run_dir(words, run_dir):
    assert parse_command_line(["main", *words]).run_dir == run_dir


def test_a_slash_behind_a_folder_makes_no_other_default_run_dir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plain = "runs/folder_pets_ipc10_dm_hyperbolic_seed0"
    older = "runs/folder_pets__ipc10_dm_hyperbolic_seed0"

    def place(dataset):
        return parse_command_line(["main", f"--dataset=folder:{dataset}"]).run_dir

    assert [place("pets"), place("pets/"), place("./pets/")] == [plain] * 3
    (tmp_path / older).mkdir(parents=True)  # Of an earlier version.
    assert [place("pets"), place("pets/")] == [plain, older]


def test_default_run_dir_of_the_flags_of_a_run(tmp_path, monkeypatch):
    """Every run's flag file is called flags.cfg; its directory tells runs apart."""
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "flags.cfg").write_text("--dataset=digits\n")
    (tmp_path / "one/config.json").write_text("{}")

    def run_dir(*files):
        words = [f"--flagfile={file}" for file in files]
        return parse_command_line(["main", *words]).run_dir

    repeated = "runs/one_repeat_dm_hyperbolic_seed0"
    assert run_dir("svhn_ipc1", tmp_path / "one/flags.cfg") == repeated
    assert run_dir(tmp_path / "one/flags.cfg", "svhn_ipc1") != repeated
    # A file of the user's that has the same name is no run's.
    assert run_dir(tmp_path / "other/flags.cfg") == "runs/flags_dm_hyperbolic_seed0"
    monkeypatch.chdir(tmp_path / "one")
    assert run_dir("flags.cfg") == repeated


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--dataset is not set"),
        (["--dataset="], "--dataset is not set"),
        (["ipc=10"], "'ipc=10' is not a flag"),
        (["--dataset=x", "leftover"], "'leftover' is not a flag"),
        (["--dataset=x", "--", "--ipc=3"], "'--ipc=3' is not a flag"),
        (["--baselines", "random"], "'random' is not a flag"),
        (["--images_per_class=5"], "did you mean --ipc?"),
        (["--output-dir=x"], "did you mean --run_dir?"),
        (["--data_path", "x"], "did you mean --data_dir?"),
        (["--epochs=5"], "did you mean --eval_epochs?"),
        (["--Iteration=5"], "did you mean --iterations?"),
        (["--method=DM"], "did you mean --objective?"),
        (["--model=ConvNet"], "did you mean --network?"),
        (["--batch_real=256"], "did you mean --real_batch?"),
        (["--epoch_eval_train=9"], "did you mean --eval_epochs?"),
        (["--run-dir=x"], "did you mean --run_dir?"),
        (["--quiet"], "did you mean --noprogress?"),
        (["--config=x"], "did you mean --flagfile?"),
        (["--itertions=5"], "unknown flag --itertions; did you mean --iterations?"),
        (["--xyzzy"], "unknown flag --xyzzy; --help lists all flags"),
        (["--noipc"], "unknown flag --noipc"),
        (["--objective=tesla"], "--objective=tesla: must be one of dm"),
        (["--geometry=flat"], "must be one of hyperbolic, euclidean"),
        (["--curvature=0"], "--curvature=0: must be a number below 0"),
        (["--curvature=1"], "--curvature=1: must be a number below 0"),
        (["--curvature=nan"], "--curvature=nan: must be a number below 0"),
        (["--curvature=abc"], "--curvature=abc: must be a number below 0"),
        (["--curvature=-1/0"], "--curvature=-1/0: must be a number below 0"),
        (["--ipc=0"], "--ipc=0: must be a positive integer"),
        (["--ipc=-3"], "--ipc=-3: must be a positive integer"),
        (["--ipc=1.5"], "--ipc=1.5: must be a positive integer"),
        (["--ipc=1: 2"], "--ipc=1: 2: must be a positive integer"),
        (["--ipc=a\nb"], r"--ipc='a\nb': must be a positive integer"),
        (["--run_dir=x --ipc=1"], "x --ipc=1: --ipc is a flag: write it as a word of"),
        (["--ipc"], "Missing value for flag --ipc"),
        (["--iterations=-1"], "--iterations=-1: must be a positive integer"),
        (["--image_lr=-1"], "--image_lr=-1: must be a number above 0"),
        (["--eval_lr=1e39"], "--eval_lr=1e39: must be a number above 0 (from 1e-37 to"),
        (["--image_lr=1e-50"], "--image_lr=1e-50: must be a number above 0 (from 1e-"),
        (["--loss_weight=inf"], "--loss_weight=inf: must be a number above 0"),
        (["--validation_fraction=1.0"], "must be a number from 0 to below 1"),
        (["--progress=maybe"], "--progress=maybe: must be true or false"),
        (["--noprogress=1"], "does not take an argument"),
        (["--baselines=k-center"], "--baselines=k-center: must be true (all)"),
        (["--init=from:"], "must be real, mix, noise or from:DIR"),
        (
            ["--dataset=x", "--select=best_validation", "--validation_fraction=0"],
            "nothing to choose by",
        ),
    ],
)
def test_bad_input_is_one_line_that_names_it(words, message):
    with pytest.raises(InputError) as caught:
        parse_command_line(["main", *words])
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


def test_what_changes_a_score_may_be_given_to_evaluate(tmp_path):
    words = "--data_dir=d --dataset=x --width=8 --noprogress --seed=3"
    check_scoring_flags(f"{words} --num_eval=1 --baselines=none --fair_score".split())
    # A flag file describes a whole run, and may hold what scoring needs.
    path = tmp_path / "whole.cfg"
    path.write_text("--iterations=3\n--num_eval=1\n")
    check_scoring_flags([f"--flagfile={path}", "--eval_epochs=3"])


@pytest.mark.parametrize(
    "word",
    ["--image_lr=1", "--ipc=3", "--expert_dir=x", "--strategy=auto", "--run_dir=x",
     "--num_virtual_devices=2", "--steps_per_call=2", "--max_images_per_forward=9"],
)  # fmt: skip
def test_what_a_score_does_not_follow_is_refused(word, tmp_path):
    path = tmp_path / "whole.cfg"
    path.write_text("--iterations=3\n--num_eval=1\n")
    name = word.partition("=")[0]
    with pytest.raises(InputError, match=f"{name} has no effect"):
        check_scoring_flags([f"--flagfile={path}", word])


@pytest.mark.parametrize("word", ["--help", "--helpfull", "-h"])
def test_help_lists_every_flag_once_and_exits_with_0(word, capsys):
    with pytest.raises(SystemExit) as caught:
        parse_command_line(["main", "--no_such_flag", word])
    assert caught.value.code == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert max(map(len, printed.out.splitlines())) <= 80
    listed = [
        line.strip().split("=")[0]
        for line in printed.out.splitlines()
        if line.startswith("  --")
    ]
    assert listed == [f"--{field.name}" for field in dataclasses.fields(Config)]
    assert "svhn_ipc10" in printed.out


def test_a_library_user_keeps_every_flag_name():
    # A program of its own may import hdd_tf and define --seed or --run_dir.
    assert "hdd_tf.config" not in flags.FLAGS.flags_by_module_dict()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--run_dir=x --ipc=1", "--ipc is a flag: write it on a line of its own"),
        ("--expert_dir=x --noprogress", "--noprogress is a flag: write it on a line"),
        ("--flagfile=svhn_ipc1 --ipc=1", "--ipc is a flag: write it on a line"),
        ("--run_dir=x # a note", "value: put '# a note' on its own line"),
        ("--dataset=folder:pets //", "value: put '//' on its own line"),
        ('--run_dir="x"', "values in flag files have no quotes: leave them out"),
        ("--run_dir='x y'", "values in flag files have no quotes: leave them out"),
    ],
)
def test_what_a_value_of_a_flag_file_has_swallowed(
    line, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("a.cfg").write_text(f"--dataset=digits\n{line}\n")
    with pytest.raises(InputError) as caught:
        parse_command_line(["main", "--flagfile=a.cfg"])
    assert str(caught.value).startswith(f"a.cfg:2: {line}: ")
    assert message in str(caught.value)


def test_odd_names_of_what_exists_and_of_colours_are_values(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("x --ipc=1", "a # b", "'c'"):
        (tmp_path / name).mkdir()
        pathlib.Path("a.cfg").write_text(f"--dataset=folder:{name}\n--run_dir=a#b\n")
        config = parse_command_line(["main", "--flagfile=a.cfg"])
        assert (config.dataset, config.run_dir) == (f"folder:{name}", "a#b")
