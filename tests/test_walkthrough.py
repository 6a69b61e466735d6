"""docs/walkthrough.md, done for real: its commands, its Python, the files it names."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
TEXT = (ROOT / "docs/walkthrough.md").read_text(encoding="utf-8")
# What is `sh` or `python` runs here; what needs a browser or the network is `console`.
BLOCKS = re.findall(r"^```(sh|python|console|text)\n(.*?)^```$", TEXT, re.M | re.S)
# What the text uses of a clone.
CLONE = ("hdd_tf", "flags", "export", "examples", "docs", "tests")
PROGRAMS = {
    *("hdd_tf.main", "hdd_tf.evaluate", "hdd_tf.report"),
    *("export_tfrecord.py", "export_saved_model.py", "export_projector.py"),
    *("train_on_distilled.py", "continual_learning.py", "architecture_search.py"),
}
NAMED = re.compile(r"`((?:runs|exported|flags|tests)/[\w./-]+)`")
LINKED = re.compile(r"\]\((\w[\w./-]+)\)")
# Files in the list of what a run's directory holds.
LISTED = re.compile(r"\w+/[\w.]*|\w+\.\w+")

# Minutes: each program of the text runs. test_end_to_end.py, test_readme.py and
# test_export_programs.py run the same programs with smaller settings.
pytestmark = pytest.mark.stress


def run(command, clone, code):
    """Runs a block as it stands; `python` is this interpreter."""
    environment = {
        **os.environ,
        "PATH": f"{clone.parent / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(clone),
    }
    return subprocess.run(
        command,
        cwd=clone,
        env=environment,
        input=code,
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
        command = ["sh", "-e"] if kind == "sh" else [str(python), "-"]
        done = run(command, clone, code)
        assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
        printed.append(done.stdout)
    return clone, printed


def test_every_block_is_of_a_known_kind_and_no_program_is_left_out():
    # A fence of another kind would not be run, in silence.
    assert 2 * len(BLOCKS) == TEXT.count("```")
    shell = "".join(code for kind, code in BLOCKS if kind == "sh")
    called = re.findall(r"^python (?:-m |export/|examples/)(\S+)", shell, re.M)
    assert len(called) == len(re.findall(r"^\S", shell, re.M))
    assert set(called) == PROGRAMS


def test_files_that_the_text_names_are_there(walked):
    clone, _ = walked
    names = set(NAMED.findall(TEXT))
    list_of_run = TEXT.partition("Below `runs/first`")[2].partition("## 3")[0]
    for line in list_of_run.splitlines():
        if line.startswith("    "):
            names |= {f"runs/first/{name}" for name in LISTED.findall(line)}
    names |= {f"docs/{name}" for name in LINKED.findall(TEXT)}
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
