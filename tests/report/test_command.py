"""Tests of `python -m hdd_tf.report`: files, exit codes, and its quick start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import hdd_tf
from hdd_tf.report.__main__ import main
from tests.report.run_directories import write_run


def test_the_table_is_printed(tmp_path, capsys):
    write_run(tmp_path / "run")
    assert main(["report", str(tmp_path)]) == 0
    output = capsys.readouterr()
    cells = " ".join(output.out.split())
    assert "| 1 | fashion_mnist | 1 | DM+HDD | convnet | 70.50 ± 0.50 |" in cells
    assert f"1. DM+HDD: `{tmp_path / 'run'}` (seed 0)" in output.out
    assert output.err == ""


def test_files_are_written_whole_over_earlier_ones(tmp_path, capsys):
    write_run(tmp_path / "run")
    table, plot = tmp_path / "new/table.md", tmp_path / "new/plot.png"
    for _ in range(2):
        words = [f"--output={table}", str(tmp_path / "run"), "--plot", str(plot)]
        assert main(["report", *words]) == 0
        assert capsys.readouterr().out == f"table: {table}\nplot: {plot}\n"
    assert table.read_text("utf-8").startswith("# Results beside the published ones\n")
    assert sorted(path.name for path in table.parent.iterdir()) == [
        "plot.png",
        "table.md",
    ]


def test_an_unusable_run_is_a_warning(tmp_path, capsys):
    write_run(tmp_path / "good")
    (write_run(tmp_path / "bad") / "result.json").unlink()
    assert main(["report", str(tmp_path)]) == 0
    expected = f"hdd_tf: warning: {tmp_path / 'bad'}: not finished; skipped\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("word", ["--help", "-h", "-help"])
def test_help(word, capsys):
    assert main(["report", "anything", word]) == 0
    assert "usage: python -m hdd_tf.report RUN_DIR..." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no run named: python -m hdd_tf.report RUN_DIR"),
        (["run", "--outptu=x"], "unknown flag --outptu; did you mean --output?"),
        (["run", "--plot"], "Missing value for flag --plot"),
        (["run", "--plot=x.pdf"], "--plot=x.pdf: only PNG is written"),
        (["nowhere"], "'nowhere' is not a directory"),
        (["empty"], "no finished run in empty"),
        # Answered before a run is read.
        (["nowhere", "--output=run"], "--output=run is a directory: name a file"),
        (["run", "--output=x.PDF"], "--output=x.PDF: a Markdown table or a page"),
        (["nowhere", "--plot=x.png"], "--plot=x.png is a directory: name a file"),
        # They would be replaced, and a device gone.
        (["nowhere", "--output=pipe"], "--output=pipe is no ordinary file"),
        (["nowhere", "--plot=pipe.png"], "--plot=pipe.png is no ordinary file"),
        (["nowhere", "--output=/dev/null"], "--output=/dev/null is no ordinary file"),
        (
            ["run", "--output=run/result.json/x"],
            "--output=run/result.json/x: run/result.json is a file: name a directory",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    words, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    write_run(Path("run"))
    Path("empty").mkdir()
    Path("x.png").mkdir()
    os.mkfifo("pipe")
    os.mkfifo("pipe.png")
    assert main(["report", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"hdd_tf: {message}")
    assert error.count("\n") == 1


@pytest.mark.slow
def test_the_command_starts_without_tensorflow(tmp_path):
    write_run(tmp_path / "run")
    program = (
        "import sys\n"
        "from hdd_tf.report.__main__ import main\n"
        f"code = main(['report', {str(tmp_path)!r}, '--output=t.md'])\n"
        "slow = {'tensorflow', 'tensorflow_datasets', 'keras', 'matplotlib'}\n"
        "print(code, slow & set(sys.modules))\n"
        f"main(['report', {str(tmp_path)!r}, '--output=t.md', '--plot=p.png'])\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(hdd_tf.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "0 set()" in result.stdout
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_the_module_is_a_command():
    result = subprocess.run(
        [sys.executable, "-m", "hdd_tf.report", "--help"],
        env=os.environ | {"PYTHONPATH": str(Path(hdd_tf.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
