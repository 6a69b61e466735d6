"""Every file has a Bazel target, and targets name what they import; no Bazel is needed.

BUILD files have the syntax of Python, so they run here with rules that only take notes.
"""

import ast
import itertools
import pathlib
import re
import types
from typing import NamedTuple

import pytest

ROOT = pathlib.Path(__file__).parents[1]
TREES = ("benchmarks", "examples", "export", "hdd_tf", "tests")
NAMING = ("actual", "data", "deps", "main", "srcs", "tests")
RULES = ("alias", "filegroup", "py_binary", "py_library", "py_test")
# It imports the packages above it when it is asked for what they hold.
LAZY = "hdd_tf/__init__.py"


class Target(NamedTuple):
    """A rule of a BUILD file: its Python files, and the labels that it names."""

    sources: frozenset[str]
    labels: frozenset[str]


def read_package(root, package):
    """Runs the BUILD file of a folder of `root`; returns its targets by label."""
    folder, targets = root / package, {}

    def absolute(label):
        if label.startswith("@"):
            return label
        if not label.startswith("//"):
            return f"//{package}:{label.removeprefix(':')}"
        return label if ":" in label else f"{label}:{label.rsplit('/', 1)[-1]}"

    def declare(name, **attributes):
        values = [attributes.get(attribute, []) for attribute in NAMING]
        lists = [[value] if isinstance(value, str) else value for value in values]
        named = set(itertools.chain.from_iterable(lists))
        files = {label for label in named if (folder / label).is_file()}
        assert absolute(name) not in targets, f"{absolute(name)} is declared twice"
        targets[absolute(name)] = Target(
            frozenset((folder / f).relative_to(root).as_posix() for f in files),
            frozenset(map(absolute, named - files)),
        )

    def glob(patterns, exclude=()):
        found = {path for pattern in patterns for path in folder.glob(pattern)}
        found -= {path for pattern in exclude for path in folder.glob(pattern)}
        assert found, f"//{package}: no file is called {patterns}"
        return sorted(p.relative_to(folder).as_posix() for p in found if p.is_file())

    def fail(message):
        raise AssertionError(f"//{package}: {message}")

    known = dict.fromkeys(RULES, declare) | {"load": lambda *_: None, "fail": fail}
    known["exports_files"] = lambda names: [declare(name) for name in names]
    known["native"] = types.SimpleNamespace(glob=glob, test_suite=declare)
    known["glob"] = glob
    for path in (ROOT / "bazel/python.bzl", folder / "BUILD"):
        exec(compile(path.read_text("utf-8"), path, "exec"), known)
    return targets


def read_targets(root):
    """Returns all targets of a source tree, by label."""
    packages = ["", *sorted(path.parent.name for path in root.glob("*/BUILD"))]
    read = [read_package(root, package) for package in packages]
    return dict(itertools.chain.from_iterable(targets.items() for targets in read))


def missing_labels(targets):
    """Returns what targets name and nothing declares, by target."""
    lock = (ROOT / "bazel/requirements_lock.txt").read_text("utf-8")
    locked = re.findall(r"^([\w.-]+)(?:\[.*\])?==", lock, re.MULTILINE)
    exist = {*targets, *(f"@pypi//{name.replace('-', '_')}" for name in locked)}
    missing = {
        label: sorted(target.labels - exist) for label, target in targets.items()
    }
    return {label: labels for label, labels in missing.items() if labels}


def files_below(targets, label):
    """Returns the files of a target and of all that it stands on."""
    reached, waiting = set(), [label]
    while waiting:
        now = waiting.pop()
        if now in targets and now not in reached:
            reached.add(now)
            waiting += targets[now].labels
    return frozenset().union(*(targets[label].sources for label in reached))


def statements(node):
    """Yields all statements below a node; a walk of the expressions takes seconds."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield child
            yield from statements(child)


def imported_files(root, file):
    """Returns the files of `root` that a Python file imports, at once or later."""
    found = set()
    for node in statements(ast.parse((root / file).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            modules = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module, *(f"{node.module}.{n.name}" for n in node.names)]
        else:
            continue
        paths = [module.replace(".", "/") for module in modules]
        found |= {f"{path}{end}" for path in paths for end in (".py", "/__init__.py")}
    return {name for name in found if (root / name).is_file()}


def lacking(root, targets):
    """Returns what is imported and not in the deps: `target: file imports file`."""
    imported, found = {}, set()
    for label in targets:
        available = files_below(targets, label)
        # Helpers of tests have what the tests that import them bring.
        waiting = {f for f in targets[label].sources if f.endswith(".py")} - {LAZY}
        waiting = set() if label == "//tests:helpers" else waiting
        seen = set()
        while waiting:
            file = waiting.pop()
            seen.add(file)
            if file not in imported:
                imported[file] = imported_files(root, file)
            for name in imported[file] - available:
                found.add(f"{label}: {file} imports {name}")
            helpers = {name for name in imported[file] if name.startswith("tests/")}
            waiting |= helpers - seen
    return sorted(found)


@pytest.fixture(scope="module")
def targets():
    return read_targets(ROOT)


def test_every_label_that_is_named_exists(targets):
    assert missing_labels(targets) == {}


def test_every_python_file_is_in_a_target(targets):
    files = {path for tree in TREES for path in (ROOT / tree).rglob("*.py")}
    names = {path.relative_to(ROOT).as_posix() for path in files}
    assert (
        names - {file for target in targets.values() for file in target.sources}
        == set()
    )


def test_no_build_file_hides_a_subfolder_from_the_globs_above_it():
    nested = [path for tree in TREES for path in (ROOT / tree).glob("*/**/BUILD")]
    assert nested == []


def test_what_is_imported_is_among_the_deps(targets):
    assert lacking(ROOT, targets) == []


def test_a_fault_is_found(tmp_path):
    (tmp_path / "BUILD").write_text(
        'py_library(name = "a", srcs = ["gone.py"], deps = [":b", "@pypi//numpy"])\n'
        'py_library(name = "b", srcs = glob(["b.*"]), deps = ["//c", "@pypi//none"])\n'
    )
    (tmp_path / "b.py").write_text("import other\n")
    (tmp_path / "other.py").touch()
    targets = read_targets(tmp_path)
    assert missing_labels(targets) == {
        "//:a": ["//:gone.py"],
        "//:b": ["//c:c", "@pypi//none"],
    }
    assert lacking(tmp_path, targets) == ["//:b: b.py imports other.py"]
