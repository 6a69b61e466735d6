"""The BUILD files say what the Python files are; no Bazel is needed to see that."""

import ast
import re

import pytest

from bazel.write_build_files import ROOT, TREES, build_files

BUILD_FILES = sorted(path for tree in TREES for path in (ROOT / tree).rglob("BUILD"))
BY_HAND = ("bazel", "docs", "flags")
REMEDY = "run python bazel/write_build_files.py"


def calls(path):
    """The (rule, attributes) of a BUILD file, which has the syntax of Python."""
    for statement in ast.parse(path.read_text("utf-8")).body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            call = statement.value
            # A glob stands for itself.
            plain = [k for k in call.keywords if not isinstance(k.value, ast.Call)]
            yield call.func.id, {k.arg: ast.literal_eval(k.value) for k in plain}


def write(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def test_every_python_file_is_the_source_of_one_target():
    sources = [
        path.parent / source
        for path in BUILD_FILES
        for _, attributes in calls(path)
        for source in attributes.get("srcs", [])
        if source.endswith(".py")
    ]
    files = [file for tree in TREES for file in (ROOT / tree).rglob("*.py")]
    assert sorted(sources) == sorted(files), REMEDY


def test_the_targets_are_those_of_the_imports():
    expected = build_files()
    assert sorted(expected) == BUILD_FILES, REMEDY
    for path, text in expected.items():
        assert path.read_text("utf-8") == text, REMEDY


def test_every_dependency_exists():
    lock = (ROOT / "bazel/requirements_lock.txt").read_text("utf-8")
    locked = re.findall(r"^([\w.-]+)(?:\[.*\])?==", lock, re.MULTILINE)
    targets = {f"@pypi//{name.replace('-', '_')}" for name in locked}
    needed = set()
    for path in [*BUILD_FILES, *(ROOT / name / "BUILD" for name in (".", *BY_HAND))]:
        package = f"//{path.parent.relative_to(ROOT)}".removesuffix(".")
        for _, found in calls(path):
            targets.add(f"{package}:{found.get('name')}")
            labels = found.get("deps", []) + found.get("data", [])
            for label in [*labels, *filter(None, [found.get("actual")])]:
                label = package + label if label.startswith(":") else label
                short = label.startswith("//") and ":" not in label
                needed.add(f"{label}:{label.split('/')[-1]}" if short else label)
    # exports_files of the BUILD file at the top
    assert needed - targets == {"//:pyproject.toml"}


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("import hdd_tf", "//:hdd_tf"),
        ("from hdd_tf import distill", "//:hdd_tf"),
        ("from hdd_tf import errors", "//hdd_tf:errors"),
        ("from hdd_tf.errors import InputError", "//hdd_tf:errors"),
        ("import hdd_tf.part.module as m", "//hdd_tf/part:module"),
        ("from hdd_tf.part import module", "//hdd_tf/part:module"),
        ("def f():\n    from hdd_tf.part.module import x", "//hdd_tf/part:module"),
        ("from hdd_tf import part", "//hdd_tf/part:__init__"),
        ("from tests.helpers import x", "//tests:helpers"),
        ("['-m', 'hdd_tf.part']", "//hdd_tf/part:__main__"),
        ("ROOT / 'export' / 'export_it.py'", "//export:export_it"),
        ("import absl.flags", "@pypi//absl_py"),
        ("from PIL import Image", "@pypi//pillow"),
        ("import pathlib, json", None),
        ("'hdd_tf.json'", None),
    ],
)
def test_what_a_test_imports_or_runs_is_what_it_depends_on(line, label, tmp_path):
    for name in ("__init__", "errors", "part/__init__", "part/__main__", "part/module"):
        write(tmp_path / f"hdd_tf/{name}.py")
    for name in ("export/export_it", "tests/helpers", "tests/conftest"):
        write(tmp_path / f"{name}.py")
    write(tmp_path / "tests/unit/test_it.py", line)
    build = tmp_path / "tests/unit/BUILD"
    write(build, build_files(tmp_path)[build])
    [test] = [found for rule, found in calls(build) if rule == "pytest_test"]
    assert set(test["deps"]) == {"//tests:conftest", label} - {None}
