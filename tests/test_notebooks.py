"""The code of the notebooks in examples/ runs, cell after cell."""

import ast
import json
import pathlib

import matplotlib
import pytest

NOTEBOOKS = sorted((pathlib.Path(__file__).parents[1] / "examples").glob("*.ipynb"))
# Sizes at which a cell takes a second; what a reader would wait for shows the same.
TINY = {
    "SETTINGS": {"ipc": 1, "iterations": 2, "depth": 1, "width": 4, "real_batch": 8}
    | {"dsa": "none", "strategy": "one_device"},
    "SCORING": {"num_eval": 1, "eval_epochs": 2, "eval_dsa": "none"},
}


def code_cells(path):
    notebook = json.loads(path.read_text("utf-8"))
    assert notebook["nbformat"] == 4
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    # Outputs of an earlier run would be of another version, and hide what changed.
    assert all(not cell["outputs"] for cell in cells)
    return ["".join(cell["source"]) for cell in cells]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    matplotlib.use("agg")
    names = {"__name__": "__main__"}
    for number, cell in enumerate(code_cells(path)):
        exec(compile(ast.parse(cell), f"{path.name}, cell {number}", "exec"), names)
        names.update({name: TINY[name] for name in TINY if name in names})
    said = capsys.readouterr().out
    assert "random real images" in said
    assert "['image', 'label'] 10" in said
    (place,) = tmp_path.glob("hdd_tf_*")
    assert {"hub", "images.png", "set"} <= {path.name for path in place.iterdir()}


def test_there_are_notebooks():
    assert NOTEBOOKS
