"""A method is named in its own file, its registry entry and flags, and nowhere else."""

import ast
import dataclasses
import pathlib
import re

import pytest

from hdd_tf.config import Config, rows
from hdd_tf.methods.registry import METHODS

ROOT = pathlib.Path(__file__).parents[1]
OWN = {
    # The traits and the registry.
    *(
        file.relative_to(ROOT).as_posix()
        for file in (ROOT / "hdd_tf/methods").glob("*.py")
    ),
    # The files that compute.
    *(
        traits.build.partition(":")[0].replace(".", "/") + ".py"
        for traits in METHODS.values()
    ),
}
# Flags: names and texts of settings, and values of others that are called alike
# (--keep=random).
FLAGS = "hdd_tf/settings/"
# Protocols of evaluation are called after the method that brought them, and are chosen
# by `Traits.evaluation` or --eval_protocol.
PROTOCOLS = {"hdd_tf/protocols/published.py"}
# A word of its own in these: the choice of rows to keep, TensorFlow's initialisers, and
# the flag --dsa.
WORDS = {"random": {"hdd_tf/analysis/pruning.py", "hdd_tf/running/dry_run.py",
                    "hdd_tf/running/costs/further_memory.py",
                    "hdd_tf/exporting/models.py"},
         "dsa": {"hdd_tf/arguments/flag_names.py"}}  # fmt: skip


def texts(tree):
    """The strings of a module but for its docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and ast.get_docstring(node) is not None
    }
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in docstrings:
            yield node.value, node.lineno


def found_in(root):
    """(file, line, name) wherever a string is, or holds as a word, a method's name."""
    for file in sorted((root / "hdd_tf").rglob("*.py")):
        path = file.relative_to(root).as_posix()
        if path in OWN | PROTOCOLS or path.startswith(FLAGS):
            continue
        for text, line in texts(ast.parse(file.read_bytes())):
            for name in METHODS:
                # "random" and "forgetting" are words of sentences too.
                is_word = name in ("random", "forgetting")
                named = text == name if is_word else re.search(rf"\b{name}\b", text)
                if named and path not in WORDS.get(name, ()):
                    yield path, line, name


def test_methods_are_named_in_their_own_places_only():
    assert list(found_in(ROOT)) == []


@pytest.mark.parametrize(
    "code", ["x = o == 'idm'", "x = {'dance': 1}", "x = 'give dm or dance'"]
)
def test_a_name_elsewhere_is_found(code, tmp_path):
    (tmp_path / "hdd_tf").mkdir()
    (tmp_path / "hdd_tf/other.py").write_text(f'"""Of dm and idm."""\n{code}\n')
    assert {line for _, line, _ in found_in(tmp_path)} == {2}


def test_a_methods_module_is_imported_only_when_it_is_built():
    for name, traits in METHODS.items():
        module, _, function = traits.build.partition(":")
        assert module.startswith("hdd_tf.") and callable(traits.builder()), name
        assert traits.builder().__name__ == function


def readers_of(path):
    """The methods that a module of hdd_tf/objectives or hdd_tf/selection is of."""
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    package = module.rpartition(".")[0]
    built = {name: traits.build.partition(":")[0] for name, traits in METHODS.items()}
    of_module = [name for name, build in built.items() if build == module]
    return of_module or [n for n, b in built.items() if b.rpartition(".")[0] == package]


def test_settings_are_read_by_the_methods_that_say_so():
    known, read = rows(), set()
    for folder in ("objectives", "selection"):
        for path in sorted((ROOT / "hdd_tf" / folder).rglob("*.py")):
            names = set(re.findall(r"\bconfig\.([a-z]\w*)", path.read_text("utf-8")))
            for name in names & set(known):
                row = known[name]
                geometry = (row.geometries or ("hyperbolic",))[0]
                readers = readers_of(path)
                claimed = any(row.is_read(name, each, geometry) for each in readers)
                assert claimed, f"{path} reads --{name}: own_settings of {readers}"
                read.add(name)
    own = [
        field.name
        for group in Config.__bases__
        if group.__module__.startswith("hdd_tf.settings.objectives.")
        for field in dataclasses.fields(group)
    ]
    # Any network that trains beforehand is kept by these.
    shared = {"expert_seed", "expert_dir"}
    every = {n for n in own if all(known[n].is_read(n, m, "none") for m in METHODS)}
    assert every == shared
    for name, traits in METHODS.items():
        for beginning in traits.own_settings:
            assert any(each.startswith(beginning) for each in read), (name, beginning)


@pytest.mark.parametrize(
    ("setting", "method", "geometry", "is_read"),
    [
        ("d4m_strength", "d4m", "euclidean", True),
        ("d4m_strength", "dm", "euclidean", False),
        ("idm_pool_size", "iid", "euclidean", True),
        ("dcc_outer_warmup", "dc", "euclidean", False),
        ("real_batch", "dm", "euclidean", True),
        ("real_batch", "d4m", "none", False),
        ("curvature", "dm", "hyperbolic", True),
        ("curvature", "dm", "euclidean", False),
        ("d4m_strength", "of another version", "euclidean", True),
        ("width", "random", "none", True),
    ],
)
def test_what_a_method_reads(setting, method, geometry, is_read):
    assert rows()[setting].is_read(setting, method, geometry) is is_read
