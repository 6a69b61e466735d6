"""Seeded runs give what they once gave; benchmarks/seeded_runs.py says with what."""

import pathlib
import subprocess
import sys

import pytest

PROGRAM = pathlib.Path(__file__).parents[1] / "benchmarks/seeded_runs.py"


@pytest.mark.stress
def test_seeded_runs_give_what_is_recorded(tmp_path):
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--place", str(tmp_path / "now")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
