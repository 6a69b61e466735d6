"""README.md: short, its Python runs, and what it links to is there."""

import ast
import os
import pathlib
import re
import subprocess
import sys

import pytest

import hdd_tf

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# [text](target) and ![text](target), without targets on other sites.
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[^)\s]*)?\)")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_it_is_short():
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_relative_links_exist(path):
    targets = LINK.findall(path.read_text(encoding="utf-8"))
    missing = [target for target in targets if not (path.parent / target).exists()]
    assert missing == []


def test_its_picture_is_small():
    (picture,) = [target for target in LINK.findall(README) if target.endswith(".png")]
    assert (ROOT / picture).stat().st_size < 150_000


def test_every_set_that_comes_with_it_is_in_the_document():
    text = (ROOT / "docs/sets.md").read_text(encoding="utf-8")
    for each in hdd_tf.sets():
        (row,) = [line for line in text.splitlines() if f"`{each.name}` |" in line]
        assert f"| {each.mean:.2f} ± {each.std:.2f} |" in row
        picture = each.name if each.ipc > 1 else f"{each.dataset}_ipc1"
        assert f"(sets/{picture}.png)" in text
        assert (ROOT / f"docs/sets/{picture}.png").stat().st_size < 150_000


@pytest.mark.slow
def test_its_python_runs(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 12
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d\d?\.\d", done.stdout)
    assert len(list((tmp_path / "distilled_png").rglob("*.png"))) == 50


def options_of(script):
    """Returns the options of a script's `argparse` parser, and those it requires."""
    known, required = set(), set()
    for node in ast.walk(ast.parse(script.read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
            ".add_argument"
        ):
            name = ast.literal_eval(node.args[0])
            given = {k.arg: ast.unparse(k.value) for k in node.keywords}
            known.add(name)
            if given.get("required") == "True":
                required.add(name)
    return known, required


def test_commands_of_benchmarks_give_the_options_that_there_are():
    # A name alone is no command, and what follows ` -- ` is of another program.
    command = re.compile(
        r"benchmarks/(\w+)\.py((?:\s+(?:\\\n)?\s*(?:--?[\w=.{},/\[\]*']+|[\w.]+))+)"
    )
    found = 0
    for path in DOCUMENTS:
        for name, words in command.findall(path.read_text("utf-8")):
            given = set(re.findall(r"\s\[?(--\w+)", words.partition(" -- ")[0]))
            if not given:
                continue
            known, required = options_of(ROOT / f"benchmarks/{name}.py")
            assert given <= known and required <= given, (path.name, name, given)
            found += 1
    assert found >= 10
