"""Tests of how every command ends."""

import importlib
import os
import signal
import sys

import pytest
from absl import flags

from hdd_tf.cli import distill_command, evaluate_command, export_set, report_command
from hdd_tf.cli.commands import COMMANDS, EXPORTS
from hdd_tf.cli.program import run_program
from hdd_tf.cli.tensorflow_import import _hidden
from hdd_tf.errors import InputError, LostWorkerError
from hdd_tf.signals import STOPPING

REMEDY = "the same command goes on from the last checkpoint."


def ends(error, **kwargs):
    def work(argv):
        raise error

    return run_program(work, ["it"], **kwargs)


@pytest.mark.parametrize(
    ("error", "code", "said", "resuming"),
    [
        (InputError("no\nset"), 2, "no set", "no set"),
        (flags.Error("bad\nflag"), 2, "bad flag", "bad flag"),
        (OSError("full"), 2, "full", f"full: mend that, and {REMEDY}"),
        (LostWorkerError("gone"), 75, "gone", "gone"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_expected_error_is_one_line(error, code, said, resuming, capsys):
    assert ends(error) == code
    assert ends(error, name="export_set", resumes=True) == code
    printed = capsys.readouterr()
    assert printed.err == f"hdd_tf: {said}\nexport_set: {resuming}\n"


def test_a_bug_shows_its_traceback():
    with pytest.raises(ZeroDivisionError):
        ends(ZeroDivisionError())


@pytest.mark.parametrize("code", [None, 0, 3])
def test_exit_code_of_the_work(code):
    assert run_program(lambda argv: code, ["it"]) == (code or 0)


def stopping(number):
    def work(*_):
        os.kill(os.getpid(), number)
        pytest.fail("the signal does not stop it")

    return work


@pytest.mark.parametrize("number", STOPPING)
@pytest.mark.parametrize(
    ("module", "place"),
    [
        (distill_command, "parse_command_line"),
        (evaluate_command, "import_quietly"),
        (export_set, "import_quietly"),
        (report_command, "collect_runs"),
    ],
    ids=["distill", "evaluate", "export", "report"],
)
def test_signals_end_every_command_alike(
    module, place, number, monkeypatch, capsys, tmp_path
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(module, place, stopping(number))
    monkeypatch.setattr(evaluate_command, "keep_freed_memory", lambda: None)
    words = {export_set: ["--set=run", "--output_dir=y"]}.get(module, ["run"])
    assert module.main(["it", *words]) == 128 + number
    says = f"hdd_tf: stopped by {number.name}"
    if module is distill_command:
        says += f"; {REMEDY}"
    assert capsys.readouterr().err == f"{says}\n"
    # Signals are again what they were.
    assert signal.getsignal(signal.SIGINT) is before


def test_all_commands_end_by_run_program(monkeypatch):
    """A command that has its own way to end would not be asked here."""
    for command in (*COMMANDS.values(), *EXPORTS.values()):
        name, _, function = command.program.partition(":")
        module = importlib.import_module(name)
        monkeypatch.setattr(module, "run_program", lambda *_, **__: 41)
        assert getattr(module, function)(["it"]) == 41


def test_packages_are_hidden_for_one_import_only(monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with _hidden(("colorsys", "signal")):
        with pytest.raises(ImportError):
            importlib.import_module("colorsys")
        assert importlib.import_module("signal") is signal  # It was there already.
    assert importlib.import_module("colorsys").rgb_to_hsv
    assert sys.modules["signal"] is signal
