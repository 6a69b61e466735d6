"""Tests of `hdd-tf`: which command runs, its help, its version, a misspelt one."""

import importlib
import os
import pathlib
import re
import subprocess
import sys

import pytest

import hdd_tf
from hdd_tf.arguments.command_line import help_text
from hdd_tf.cli import export_models, export_set
from hdd_tf.cli.commands import COMMANDS, EXPORTS, Command, run_command
from hdd_tf.cli.own_flags import parse_own_flags
from hdd_tf.errors import InputError
from hdd_tf.main import main

ROOT = pathlib.Path(hdd_tf.__file__).parents[1]
EVERY = [
    *([name] for name in COMMANDS),
    *(["export", name] for name in EXPORTS),
]


@pytest.mark.parametrize("command", [*COMMANDS.values(), *EXPORTS.values()])
def test_each_names_a_function_and_is_described_in_a_line(command):
    module, _, function = command.program.partition(":")
    assert callable(getattr(importlib.import_module(module), function))
    assert command.about.endswith(".") and len(command.about) < 60


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
@pytest.mark.parametrize("spelling", ["--help", "-h", "help"])
def test_each_command_has_its_help(words, spelling, capsys):
    words = [*words, spelling]
    if spelling == "help":
        words = ["help", *words[:-1]]
    assert main(["hdd-tf", *words]) == 0
    printed = capsys.readouterr()
    assert "usage: " in printed.out and "--" in printed.out
    assert printed.err == ""


def test_help_lists_the_commands_and_then_the_flags(capsys):
    assert main(["hdd-tf", "--help"]) == 0
    printed = capsys.readouterr().out
    assert "\nusage: hdd-tf [--flagfile=FILE ...]" in printed
    commands, _, flags = printed.partition(help_text())
    assert commands and not flags
    for name, command in COMMANDS.items():
        assert f"  {name:9} {command.about}\n" in commands
    assert max(map(len, commands.splitlines())) <= 80
    # Those of one command are not in front of it.
    assert main(["hdd-tf", "distill", "--help"]) == 0
    assert capsys.readouterr().out == help_text("hdd-tf distill")


def test_help_of_export_lists_what_can_be_exported(capsys):
    assert main(["hdd-tf", "export", "--help"]) == 0
    commands, _, flags = capsys.readouterr().out.partition("Writes a distilled set")
    assert all(f"  {name} " in commands for name in EXPORTS)
    assert "--encoding" in flags


def test_the_help_of_evaluate_lists_the_flags_it_follows(capsys):
    assert main(["hdd-tf", "evaluate", "--help"]) == 0
    printed = capsys.readouterr().out
    shown = set(re.findall(r"^  --(\w+)=", printed, re.MULTILINE))
    assert {"num_eval", "eval_lr", "data_dir", "seed", "depth"} <= shown
    assert shown.isdisjoint(
        {"run_dir", "ipc", "iterations", "image_lr", "expert_dir", "num_experiments"}
    )
    # A group of which nothing is shown has no heading.
    assert "\nEvaluation:\n" in printed
    assert "DANCE's experts" not in printed


def test_version(capsys):
    assert main(["hdd-tf", "--version"]) == 0
    assert capsys.readouterr().out == f"hdd-tf {hdd_tf.__version__}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["evalaute", "run"], "not a command of hdd-tf; did you mean evaluate?"),
        (["distil", "--ipc=1"], "did you mean distill?"),
        (["xyzzy"], "there are distill, bank, evaluate, export, report and sets"),
        (["export", "savedmodel"], "hdd-tf export; did you mean saved_model?"),
        (["export", "saved-model"], "did you mean saved_model?"),
        # What may be meant for a flag is one.
        (["ipc=10"], "'ipc=10' is not a flag"),
        (["--distil"], "unknown flag --distil"),
        (["distill", "evaluate"], "'evaluate' is not a flag"),
        ([], "--dataset is not set"),
        (["distill"], "--dataset is not set"),
        (["bank"], "--dataset is not set"),
        (["bank", "--dataset=digits"], "these settings have none: give --real_bank_si"),
        (["export"], "--output_dir is missing"),
        (["export", "projector"], "--run_dir is missing"),
        (["export", "saved_model", "--run_dir=x"], "--output_dir is missing"),
        (["evaluate"], "no set or run named: hdd-tf evaluate SET_OR_RUN"),
        (["evaluate", "x", "--iterations=3"], "--iterations has no effect on"),
        (["evaluate", "x", "--num_eval=1", "--select", "last"], "--select has no effe"),
        (["evaluate", "x", "--noanalysis"], "--analysis has no effect"),
        (["evaluate", "x", "--dry_run"], "--dry_run has no effect"),
        (["evaluate", "x", "--iteratons=3"], "did you mean --iterations?"),
        (["report"], "no run named: hdd-tf report RUN_DIR"),
        (["export", "--measure=maybe"], "measure"),
        (
            ["export", "--ouput_dir=x"],
            "unknown flag --ouput_dir; did you mean --output",
        ),
        (["export", "--nomeasrue"], "did you mean --measure?"),
        (["export", "saved_model", "--lr_img=1"], "did you mean --image_lr?"),
        (["export", "--save-path=x"], "did you mean --output_dir?"),
        (["evaluate", "x", "--epochs=3"], "did you mean --eval_epochs?"),
        (["report", "x", "--output_file=y"], "did you mean --output?"),
        (["export", "--depth=3"], "--depth is a flag of distilling and not of this"),
        (["export", "projector", "--run_dri", "x"], "did you mean --run_dir?"),
        (["export", "saved_model", "--depht=3"], "did you mean --depth?"),
        (
            ["export", "a/b", "--output_dir=x"],
            "'a/b' is not a flag, and not the dir",
        ),
    ],
    ids=" ".join,
)
def test_bad_input_is_one_line_and_exit_code_2(words, said, capsys):
    assert main(["hdd-tf", *words]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("hdd_tf: ") and said in printed.err
    assert printed.err.count("\n") == 1 and printed.out == ""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a_run"], {"run_dir": "a_run", "set": None}),
        (["tfrecord", "a_run"], {"run_dir": "a_run", "set": None}),
        (["a_set", "--encoding=png"], {"run_dir": None, "set": "a_set"}),
        (["--encoding", "png", "a_set"], {"run_dir": None, "set": "a_set"}),
    ],
    ids=lambda value: " ".join(value),
)
def test_export_takes_a_directory_for_its_source(
    words, expected, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in ("a_run", "a_set"):
        (tmp_path / name).mkdir()
    (tmp_path / "a_run/config.json").write_text("{}")
    given = []
    monkeypatch.setattr(export_set, "check_flags", given.append)
    monkeypatch.setattr(export_set, "import_quietly", lambda: sys.exit(9))
    with pytest.raises(SystemExit):
        main(["hdd-tf", "export", *words, "--output_dir=out"])
    assert {name: given[0][name].value for name in expected} == expected


def test_models_take_a_directory_for_their_run(tmp_path):
    words = ["--depth", "3", "--run_dir=r"]
    values = export_models.define_flags()
    assert parse_own_flags(["it", *words], values).overrides == ["--depth", "3"]
    values = export_models.define_flags()
    parsed = parse_own_flags(["it", str(tmp_path), "--depth", str(tmp_path)], values)
    assert parsed.required("run_dir") == str(tmp_path)
    assert parsed.overrides == ["--depth", str(tmp_path)]
    with pytest.raises(InputError, match="give one of the two"):
        parse_own_flags(["it", str(tmp_path), "--run_dir=r"], values)


def called(argv):
    print(argv)
    return 7


def test_the_first_command_is_meant_where_none_is_named(capsys):
    here = f"{__name__}:called"
    commands = {"first": Command(here, ""), "second": Command(here, "")}
    for words, expected in (
        (["--ipc=1"], ["it", "--ipc=1"]),
        (["--ipc", "second"], ["it", "--ipc", "second"]),
        (["first", "second"], ["it first", "second"]),
        (["second", "-x"], ["it second", "-x"]),
    ):
        assert run_command(commands, ["it", *words]) == 7
        assert capsys.readouterr().out == f"{expected}\n"
    with pytest.raises(InputError, match="there are first and second"):
        run_command(commands, ["it", "zzz"])


@pytest.mark.slow
def test_help_and_version_need_no_tensorflow():
    """What makes the answer instant."""
    code = (
        "import sys; from hdd_tf.main import main\n"
        f"for words in {[*EVERY, []]}: assert main(['', *words, '--help']) == 0\n"
        "assert main(['', '--version']) == 0\n"
        "sys.exit(bool({'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)))"
    )
    assert python("-c", code).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("module", ["hdd_tf", "hdd_tf.main"])
def test_modules_are_the_program(module):
    done = python("-m", module, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"hdd-tf {hdd_tf.__version__}\n"


def python(*words):
    return subprocess.run(
        [sys.executable, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
