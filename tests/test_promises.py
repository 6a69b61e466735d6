"""docs/promises.md names tests that exist, and fast tests start no process."""

import ast
import functools
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`( \((slow|stress)\))?")


@functools.cache
def marks_of(path):
    """Returns the tests of a file by name, each with the marks of its decorators."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    of_all = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Assign)]
    of_all = [line for line in of_all if line.startswith("pytestmark")]
    return {
        node.name: "\n".join([*of_all, *map(ast.unparse, node.decorator_list)])
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_test_that_keeps_a_promise_exists():
    wrong = []
    for path, name, _, said in NAMED.findall(TEXT):
        marks = marks_of(path).get(name) if (ROOT / path).is_file() else None
        found = "no test" if marks is None else ""
        for mark in ("slow", "stress") if marks else ():
            # A mark of some parameters only is not one of the test.
            if re.search(rf"pytest\.mark\.{mark}\b(?!\))", marks):
                found = mark
        if found != said:
            wrong.append(f"{path}::{name} is {found or 'neither slow nor stress'}")
    assert not wrong


def test_every_promise_has_a_test():
    rows = [line for line in TEXT.splitlines() if re.match(r"\| (?!Promise)", line)]
    assert len(rows) > 40
    assert [row for row in rows if not NAMED.search(row)] == []


def test_a_fast_test_that_starts_a_process_fails():
    with pytest.raises(pytest.fail.Exception, match="mark it with"):
        subprocess.run([sys.executable, "-c", ""], check=True)
