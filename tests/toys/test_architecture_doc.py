"""The method of docs/architecture.md is one: its code runs as it stands."""

import pathlib
import re

import numpy as np
import pytest

import hdd_tf
from hdd_tf.methods.registry import METHODS

TEXT = pathlib.Path(__file__).parents[2] / "docs/architecture.md"


@pytest.fixture
def described(monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", TEXT.read_text("utf-8"), re.DOTALL)
    # Taken out again after the test.
    monkeypatch.setitem(METHODS, "energy", METHODS["dm"])
    names = {}
    for block in blocks:
        exec(compile(block, str(TEXT), "exec"), names)
    return names


@pytest.mark.parametrize("geometry", ["hyperbolic", "euclidean"])
@pytest.mark.slow
def test_the_described_method_runs(described, geometry):
    assert METHODS["energy"] is not METHODS["dm"]
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(2), 8)
    images = rng.integers(0, 255, (16, 8, 8, 1)).astype(np.uint8)
    settings = {
        "ipc": 1, "depth": 2, "width": 8, "iterations": 2, "progress": False,
        "strategy": "one_device", "geometry": geometry, "seed": 1,
    }  # fmt: skip
    made, truth = hdd_tf.distill(images, labels, objective="energy", **settings)
    other, _ = hdd_tf.distill(images, labels, objective="dm", **settings)
    assert made.shape == (2, 8, 8, 1) and list(truth) == [0, 1]
    # Otherwise something else was compared than its readout.
    assert not np.array_equal(made, other)


def test_every_place_that_is_named_exists():
    root = TEXT.parents[1]
    named = set(re.findall(r"`((?:[\w-]+/)+[\w.]*)`", TEXT.read_text("utf-8")))
    assert len(named) > 15
    # A folder of flags for a method that the recipe makes up.
    for name in named - {"flags/energy/"}:
        assert (root / name).exists() or (root / "hdd_tf" / name).exists(), name
