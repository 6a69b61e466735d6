"""Writes the BUILD file of every directory of Python files, from what they import.

    python bazel/write_build_files.py

Each file has a target of its name; the target's deps are what its file imports, at the
top or where it needs it. tests/test_build_files.py fails when this must run again.
"""

import ast
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
TREES = ("hdd_tf", "export", "examples", "benchmarks", "tests")
RULES = [f"@rules_python//python:py_{kind}" for kind in ("binary", "library")]
RULES += ["//bazel:pytest_test"]
# Distributions that are not called like their module.
PYPI = {"PIL": "pillow", "absl": "absl_py", "google": "protobuf"}
PYPI |= {"sklearn": "scikit_learn"}
# What a use in the code needs although no import and no distribution says so.
UNDECLARED = {
    "tensorflow_datasets": "importlib_resources",
    "tf.summary": "tensorboard",
}
# No dependencies; the second is for a program with an environment of its own.
IGNORED = {*sys.stdlib_module_names, "tensorflow_addons"}
# Directories of data; a file that reads one has its name as a string.
DATA = {"docs": "//docs", "flags": "//flags", "golden": "//tests/golden"}
# The registry of methods names modules, which these files import when a run needs them.
METHODS = "hdd_tf/methods/registry.py"
BY_NAME = {"hdd_tf/analysis/encoder_of_run.py", "hdd_tf/objectives/registry.py"}
# They take minutes.
SLOW = {
    "test_end_to_end.py",
    "test_examples.py",
    "test_several_machines.py",
    "test_stopping.py",
    "test_walkthrough.py",
}


def build_files(root: pathlib.Path = ROOT) -> dict[pathlib.Path, str]:
    """Returns what each BUILD file has to say."""
    files = [file for tree in TREES for file in sorted((root / tree).rglob("*.py"))]
    texts = {}
    for folder in sorted({file.parent for file in files}):
        rules = "".join(_rule(file, root) for file in files if file.parent == folder)
        if goldens := {
            f.name for kind in ("npz", "zip") for f in folder.glob(f"*.{kind}")
        }:
            rules += _call("filegroup", folder.name, srcs=goldens)
        text = "# Written by bazel/write_build_files.py: run it, do not edit this.\n\n"
        for rule in RULES:
            kind = rule.split(":")[1]
            text += f'load("{rule}.bzl", "{kind}")\n' if f"\n{kind}(" in rules else ""
        text += _call("package", default_visibility={"//visibility:public"})
        texts[folder / "BUILD"] = text + rules
    return texts


def _rule(file: pathlib.Path, root: pathlib.Path) -> str:
    """Returns the rule of one file."""
    tree = ast.parse(file.read_bytes())
    code = ast.unparse(tree)
    deps: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "", alias.name) for alias in node.names]
        else:
            continue
        for module, name in names:
            # A program finds what lies beside it before anything else.
            beside = _label(root, file.parent / f"{module}.py")
            deps.add(beside or _target(module, name, root))
    deps |= {f"@pypi//{name}" for use, name in UNDECLARED.items() if use in code}
    if file.relative_to(root).as_posix() in BY_NAME:
        named = re.findall(r'"(hdd_tf(?:\.\w+)+):', (root / METHODS).read_text("utf-8"))
        # A function chooses among coresets, so theirs is an f-string.
        deps |= {_target(module, "", root) for module in named}
    # hdd_tf/__init__.py imports when asked; //:hdd_tf has what it may be asked for.
    if file == root / "hdd_tf/__init__.py":
        deps.clear()
    deps -= {"//:hdd_tf"} if file.is_relative_to(root / "hdd_tf") else set()
    deps.add(_label(root, file.parents[file.stem == "__init__"] / "__init__.py"))
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    kind = "py_binary" if "if __name__ == '__main__':" in code else "py_library"
    tags = {"slow"} if file.name in SLOW else set()
    if file.name.startswith("test_"):
        kind = "pytest_test"
        deps |= {_label(root, folder / "conftest.py") for folder in file.parents}
        deps |= {_program(str(string), root) for string in strings}
        if "//bazel:write_build_files" in deps:
            tags = {"external", "local"}  # Reads the source tree; Bazel cannot know.
    data = {label for name, label in DATA.items() if name in strings}
    folder = f"//{file.parent.relative_to(root)}:"
    deps = {dep.replace(folder, ":") for dep in deps if dep}
    return _call(kind, file.stem, srcs={file.name}, data=data, tags=tags, deps=deps)


def _target(module: str, name: str, root: pathlib.Path) -> str:
    """Returns the target that `from module import name` needs, "" if none."""
    top, path = module.split(".")[0], root.joinpath(*module.split("."))
    if top in IGNORED:
        return ""
    if top not in {*TREES, "bazel"}:
        return f"@pypi//{PYPI.get(top, top)}"
    files = [path / f"{name}.py", path.with_suffix(".py")]
    files += [path / name / "__init__.py", path / "__init__.py"]
    return _label(root, *files).replace("//hdd_tf:__init__", "//:hdd_tf")


def _program(string: str, root: pathlib.Path) -> str:
    """Returns the program that a test runs by its file name or with `python -m`."""
    if not re.fullmatch(r"\w+(\.\w+)+", string):
        return ""
    path = root.joinpath(*string.split("."))
    scripts = (root / tree / string for tree in TREES)
    return _label(root, *scripts, path.with_suffix(".py"), path / "__main__.py")


def _label(root: pathlib.Path, *files: pathlib.Path) -> str:
    """Returns the target of the first of the files that exists, "" if none does."""
    there = [file for file in files if file.is_file() and file.is_relative_to(root)]
    return f"//{there[0].parent.relative_to(root)}:{there[0].stem}" if there else ""


def _call(kind: str, name: str = "", **lists: set[str]) -> str:
    """Returns a call as buildifier formats it, without lists that are empty."""
    text = f"\n{kind}(\n" + (f'    name = "{name}",\n' if name else "")
    for attribute, items in lists.items():
        order = sorted(items, key=lambda s: (":/@".find(s[0]), re.split("[:.]", s)))
        if len(order) > 1:
            lines = "".join(f'        "{item}",\n' for item in order)
            text += f"    {attribute} = [\n{lines}    ],\n"
        elif order:
            text += f'    {attribute} = ["{order[0]}"],\n'
    return f"{text})\n"


if __name__ == "__main__":
    for path, text in build_files().items():
        path.write_text(text, encoding="utf-8")
