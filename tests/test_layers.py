"""Imports point one way, and no folder holds too much to see at once."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
# A package may import those below it in this list; docs/architecture.md says why.
LAYERS = (
    ("evaluate", "main"),
    ("api", "layers", "losses"),
    ("cli",),
    ("running",),
    ("running.costs",),
    ("report.page",),
    ("exporting", "report"),
    ("analysis",),
    ("evaluation",),
    ("evaluation.scorers",),
    (
        *("objectives", "objectives.cafe", "objectives.gvbsm"),
        *("objectives.trajectories", "selection", "selection.d4m", "selection.rded"),
    ),
    ("objectives.gradient_matching",),
    ("distillation",),
    ("distillation.bank",),
    ("training",),
    ("training.graph",),
    ("protocols",),
    ("foreign_sets",),
    ("artifacts.sets",),
    ("artifacts",),
    ("artifacts.encodings", "artifacts.drawing"),
    ("networks", "augment", "geometry", "reading"),
    ("networks.layers",),
    ("reading.folders",),
    ("data_cache",),
    ("shipped",),
    ("data", "distributed", "files", "arguments"),
    ("config",),
    ("settings.objectives",),
    ("settings",),
    ("methods",),
    ("signals", "keras_settings", "exact_product", "progress"),
    ("errors", "random_keys"),
)
HEIGHT = {
    name: len(LAYERS) - level for level, names in enumerate(LAYERS) for name in names
}
MOST_MODULES = 14


def package_of(module):
    """Returns the package, or the module of hdd_tf itself, that a module belongs to."""
    parts = module.split(".")[1:]
    for length in (2, 1):
        if ".".join(parts[:length]) in HEIGHT:
            return ".".join(parts[:length])
    return None


def imports(root):
    """Yields (importing module, imported module) within hdd_tf."""
    for path in sorted((root / "hdd_tf").rglob("*.py")):
        module = ".".join(path.relative_to(root).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((module, name.name) for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                for name in node.names:
                    whole = f"{node.module}.{name.name}"
                    is_module = (root / f"{whole.replace('.', '/')}.py").is_file()
                    yield module, whole if is_module else node.module


def upward(root):
    """Returns the imports that do not point down."""
    found = []
    for module, imported in imports(root):
        if not imported.startswith("hdd_tf.") or module.endswith("__main__"):
            continue  # A program that `python -m PACKAGE` starts stands above all.
        if module == "hdd_tf.__init__":
            continue  # It imports what it is asked for.
        above, below = package_of(module), package_of(imported)
        if above != below and not HEIGHT.get(above, 0) > HEIGHT.get(below, 99):
            found.append(f"{module} imports {imported}")
    return found


def test_imports_point_down():
    assert upward(ROOT) == []


def test_every_package_has_its_place():
    packages = {
        ".".join(path.parent.relative_to(ROOT / "hdd_tf").parts)
        for path in (ROOT / "hdd_tf").rglob("__init__.py")
    } - {""}
    assert packages <= set(HEIGHT)


@pytest.mark.parametrize(
    "line",
    [
        "from hdd_tf.running import loop",
        "import hdd_tf.evaluation.evaluation",
        "def late():\n    from hdd_tf.cli.program import run_program",
    ],
)
def test_an_import_upward_is_found(tmp_path, line):
    for package, text in {
        "data": line,
        "running": "",
        "evaluation": "",
        "cli": "",
    }.items():
        (tmp_path / "hdd_tf" / package).mkdir(parents=True)
        (tmp_path / "hdd_tf" / package / "loop.py").write_text(f"{text}\n")
    (found,) = upward(tmp_path)
    assert found.startswith("hdd_tf.data.loop imports hdd_tf.")


def test_no_folder_holds_more_than_can_be_seen_at_once():
    folders = [path.parent for path in (ROOT / "hdd_tf").rglob("__init__.py")]
    modules = {
        folder.relative_to(ROOT).as_posix(): len(
            [path for path in folder.glob("*.py") if not path.name.startswith("__")]
        )
        for folder in folders
    }
    assert {name: n for name, n in modules.items() if n > MOST_MODULES} == {}
