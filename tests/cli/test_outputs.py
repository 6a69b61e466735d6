"""Tests of standard output and standard error that never stop a program."""

import contextlib
import io
import os
import pathlib
import subprocess
import sys

import pytest

from hdd_tf.cli import outputs, program
from hdd_tf.cli.outputs import LastingStream, print_product
from hdd_tf.errors import InputError

ROOT = pathlib.Path(__file__).parents[2]


def gone():
    """Returns the end of a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize("sink", ["gone", "full"])
@pytest.mark.parametrize("line_buffering", [True, False])
def test_nobody_who_listens_stops_nothing(sink, line_buffering, monkeypatch):
    descriptor = gone() if sink == "gone" else os.open("/dev/full", os.O_WRONLY)
    file = open(descriptor, "wb", closefd=False)  # noqa: SIM115
    stream = LastingStream(file, "utf-8", line_buffering=line_buffering)
    monkeypatch.setattr(sys, "stdout", stream)
    for _ in range(3):
        print("x" * 10_000)
        print("and", flush=True)
    # A product is asked for: that a full disk loses it is an error, of the command
    # that has nothing else to show.
    expected = pytest.raises(InputError, match="No space left")
    with contextlib.nullcontext() if sink == "gone" else expected:
        print_product("score")
    # What is still buffered goes where it can.
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


@pytest.mark.slow
def test_closed_descriptors_are_no_files_of_others(tmp_path):
    file = tmp_path / "checkpoint"
    code = (
        "import os; from hdd_tf.cli.outputs import keep_outputs; keep_outputs(); "
        f"f = open({str(file)!r}, 'w'); print('lost'); "
        "os.write(2, b'of a library'); os.write(1, b'too'); f.write('kept')"
    )
    shell = 'exec "$0" -c "$1" >&- 2>&- <&-'
    done = subprocess.run(
        ["sh", "-c", shell, sys.executable, code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0
    assert file.read_text() == "kept"


@pytest.mark.parametrize(
    ("encoding", "errors", "shown"),
    [
        ("ascii", "strict", b"1 +/- 2 \\u732b \\udcff\n"),
        ("latin-1", "strict", b"1 \xb1 2 \\u732b \\udcff\n"),
        ("utf-8", "strict", b"1 \xc2\xb1 2 \xe7\x8c\xab \\udcff\n"),
        # What the user has asked for is kept.
        ("ascii", "replace", b"1 ? 2 ? ?\n"),
    ],
)
def test_every_character_reaches_an_output_of_few(encoding, errors, shown, monkeypatch):
    sink = io.BytesIO()
    before = io.TextIOWrapper(sink, encoding, errors)  # Closes its sink with itself.
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, before)
    outputs.keep_outputs()
    print("1 \xb1 2", "\u732b", "\udcff", flush=True)
    assert sink.getvalue() == shown


def test_commands_run_behind_it(monkeypatch):
    done = []
    monkeypatch.setenv("MPLBACKEND", "of_a_notebook")
    monkeypatch.setattr(program, "keep_outputs", lambda: done.append("kept"))
    monkeypatch.setattr(program, "leave", done.append)
    program.run_as_process(lambda argv: 3 if os.environ["MPLBACKEND"] == "agg" else 4)
    assert done == ["kept", 3]
