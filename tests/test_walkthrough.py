"""docs/walkthrough.md, done for real: its commands, its Python, the files it names."""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).parents[1]
TEXT = (ROOT / "docs/walkthrough.md").read_text(encoding="utf-8")
# What is `sh` or `python` runs here; what needs a browser or the network is `console`.
BLOCKS = re.findall(r"^```(sh|python|console|text)\n(.*?)^```$", TEXT, re.M | re.S)
# Of these folders a clone consists, as far as the text goes.
CLONE = ("hdd_tf", "flags", "export", "examples", "docs")
# `runs/first/result.json`, but not a name with a pattern or a choice in it.
NAMED = re.compile(r"`((?:runs|exported|docs|flags|examples|export)/[\w./-]+)`")
TABLE = re.compile(r"^    (\S+) {2,}\S", re.M)

pytestmark = pytest.mark.slow


def run(command, clone, stdin=None):
    """Runs a block as it stands, with `python` being this interpreter."""
    environment = {
        **os.environ,
        "PATH": f"{clone.parent / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(clone),
        # A clone is the user's own: no progress bars into the captured output.
        "PYTHONWARNINGS": "",
    }
    return subprocess.run(
        command,
        cwd=clone,
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """A clone in which the whole walk-through was done; what each block printed."""
    place = tmp_path_factory.mktemp("walk")
    clone = place / "clone"
    clone.mkdir()
    for name in CLONE:
        (clone / name).symlink_to(ROOT / name)
    (place / "bin").mkdir()
    python = place / "bin/python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    printed = []
    for kind, code in BLOCKS:
        if kind not in ("sh", "python"):
            continue
        start = time.monotonic()
        command = ["sh", "-e"] if kind == "sh" else [str(python), "-"]
        done = run(command, clone, code)
        assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
        printed.append(done.stdout)
        print(f"{code}{done.stdout}[{time.monotonic() - start:.1f} s]\n")
    return clone, printed


def test_every_block_is_of_a_known_kind_and_runs_python():
    assert len(BLOCKS) == TEXT.count("```") / 2
    commands = [code for kind, code in BLOCKS if kind == "sh"]
    assert len(commands) > 9
    for code in commands:
        for line in code.replace("\\\n", " ").splitlines():
            assert line.startswith(("python -m hdd_tf.", "python ex")), line


def test_files_that_the_text_names_are_there(walked):
    clone, _ = walked
    names = set(NAMED.findall(TEXT))
    # The list of a run's directory names what lies below it.
    names |= {f"runs/first/{name}" for name in TABLE.findall(TEXT)}
    names |= {
        f"docs/{name}"
        for name in re.findall(r"\]\((?!http)([\w./-]+)", TEXT)
    }
    assert len(names) > 20
    missing = sorted(name for name in names if not (clone / name).exists())
    assert not missing


def test_output_is_what_the_text_shows(walked):
    """Lines of words alone are the same everywhere; numbers differ with the machine."""
    _, printed = walked
    mask = re.compile(r"-?\d[\d.,]*|\s+")

    def words(line):
        return mask.sub(" ", line).strip()

    real = {words(line) for text in printed for line in text.splitlines()}
    for kind, code in BLOCKS:
        if kind == "text":
            for line in code.splitlines():
                assert line.strip() in ("", "...") or words(line) in real, line


def test_curves_and_histograms_that_the_text_names_are_in_tensorboard(walked):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    clone, _ = walked
    events = EventAccumulator(str(clone / "runs/first/tensorboard")).Reload()
    tags = events.Tags()
    for name in ("loss", "gradient_norm", "loss_per_class/3", "accuracy/test_convnet"):
        assert f"`{name}`" in TEXT
        assert name in tags["tensors"] + tags["scalars"]
    for name in ("radius/real", "lorentz_weight/synthetic"):
        assert f"`{name}`" in TEXT
        assert name in tags["tensors"] + tags["histograms"]
    config = (clone / "runs/first/tensorboard/projector_config.pbtxt").read_text()
    named = re.findall(r'tensor_name: "(\w+)"', config)
    assert sorted(named) == ["features", "poincare_ball", "poincare_disk"]
    assert all(f"`{name}`" in TEXT for name in named)
