"""What the BUILD files name exists; no Bazel is needed to see that.

They have the syntax of Python, so they run here with rules that only take notes.
"""

import pathlib
import re
import types

ROOT = pathlib.Path(__file__).parents[1]
TREES = ("hdd_tf", "export", "examples", "benchmarks", "tests")
TOP = ("bazel", "docs", "flags", *TREES)
LABELS = ("srcs", "deps", "data", "tests", "main", "actual")
RULES = ("alias", "filegroup", "py_binary", "py_library", "py_test")


def absolute(label, package):
    """Returns a label as `//PACKAGE:NAME`; `//a/b` is short for `//a/b:b`."""
    if label.startswith("@"):
        return label
    if not label.startswith("//"):
        return f"//{package}:{label.removeprefix(':')}"
    return label if ":" in label else f"{label}:{label.rsplit('/', 1)[-1]}"


def read_package(build, package):
    """Runs a BUILD file; returns what it declares and what each of that names."""
    folder, declared = build.parent, {}

    def declare(name, **attributes):
        named = []
        for attribute in LABELS:
            value = attributes.get(attribute, [])
            named += [value] if isinstance(value, str) else value
        # A package's own files need no declaration.
        named = [label for label in named if not (folder / label).is_file()]
        label = absolute(name, package)
        declared[label] = [absolute(named_label, package) for named_label in named]

    def glob(patterns, exclude=(), allow_empty=False):
        found = {path for pattern in patterns for path in folder.glob(pattern)}
        found -= {path for pattern in exclude for path in folder.glob(pattern)}
        assert found or allow_empty, f"//{package}: no file is called {patterns}"
        return sorted(path.relative_to(folder).as_posix() for path in found)

    def exports_files(names, **_):
        declared.update({absolute(name, package): [] for name in names})

    def fail(message):
        raise AssertionError(f"//{package}: {message}")

    known = dict.fromkeys(RULES, declare)
    known |= dict.fromkeys(("load", "package"), lambda *_, **__: None)
    known |= {"exports_files": exports_files, "fail": fail, "glob": glob}
    known["native"] = types.SimpleNamespace(
        glob=glob, test_suite=declare, package_name=lambda: package
    )
    for path in (ROOT / "bazel/python.bzl", build):
        exec(compile(path.read_text("utf-8"), path, "exec"), known)
    return declared


def missing_labels(root, top=()):
    """Returns what targets name and no BUILD file declares, by target."""
    builds = [path for folder in top for path in (root / folder).rglob("BUILD")]
    declared = {}
    for build in [root / "BUILD", *builds]:
        package = build.parent.relative_to(root).as_posix().removeprefix(".")
        declared |= read_package(build, package)
    lock = (ROOT / "bazel/requirements_lock.txt").read_text("utf-8")
    locked = re.findall(r"^([\w.-]+)(?:\[.*\])?==", lock, re.MULTILINE)
    exist = {*declared, *(f"@pypi//{name.replace('-', '_')}" for name in locked)}
    missing = {target: sorted({*labels} - exist) for target, labels in declared.items()}
    return {target: labels for target, labels in missing.items() if labels}


def test_every_label_that_is_named_exists():
    assert missing_labels(ROOT, TOP) == {}


def test_every_folder_of_python_files_is_a_package():
    folders = {path.parent for tree in TREES for path in (ROOT / tree).rglob("*.py")}
    assert {folder for folder in folders if not (folder / "BUILD").is_file()} == set()


def test_a_missing_label_is_found(tmp_path):
    (tmp_path / "BUILD").write_text(
        'py_library(name = "a", srcs = ["gone.py"], deps = [":b", "@pypi//numpy"])\n'
        'py_library(name = "b", srcs = glob(["*.py"]), deps = ["//c", "@pypi//none"])\n'
    )
    (tmp_path / "there.py").touch()
    assert missing_labels(tmp_path) == {
        "//:a": ["//:gone.py"],
        "//:b": ["//c:c", "@pypi//none"],
    }
