"""What docs/architecture.md shows works: its code runs as it stands."""

import functools
import importlib
import pathlib
import re
import sys
import types

import numpy as np
import pytest

import hdd_tf
from hdd_tf.artifacts.encodings.registry import ENCODINGS
from hdd_tf.artifacts.sets import distilled_set
from hdd_tf.methods.registry import METHODS
from hdd_tf.networks.registry import NETWORKS, build_network

TEXT = pathlib.Path(__file__).parents[2] / "docs/architecture.md"
BLOCKS = re.findall(r"```python\n# (\S+)\.py\n(.*?)```", TEXT.read_text("utf-8"), re.S)
pytestmark = pytest.mark.slow

ENTRY = "hdd_tf/methods/registry"


@pytest.fixture
def described(monkeypatch):
    """The modules that the text shows, imported; taken out again after the test."""
    codes = dict(BLOCKS)
    for name in set(codes) - {ENTRY}:
        dotted = name.replace("/", ".")
        monkeypatch.setitem(sys.modules, dotted, types.ModuleType(dotted))
        exec(compile(codes[name], name, "exec"), sys.modules[dotted].__dict__)
    return codes


@pytest.fixture
def add_method(described, monkeypatch):
    """Registers the entry that the text shows, for another file of a method."""

    def add(name, **changes):
        code = described[ENTRY].replace("energy", name)
        for trait, value in changes.items():
            code, count = re.subn(rf"{trait}=\w+", f"{trait}={value}", code)
            assert count == 1
        monkeypatch.setitem(METHODS, name, METHODS["dm"])
        exec(compile(code, ENTRY, "exec"), {})
        assert METHODS[name] is not METHODS["dm"]

    return add


@functools.cache
def distilled(**settings):
    """Images that two iterations make; each setting is computed once."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(2), 8)
    images = rng.integers(0, 255, (16, 8, 8, 1)).astype(np.uint8)
    made, truth = hdd_tf.distill(
        images, labels, ipc=1, depth=2, width=8, iterations=2, progress=False,
        strategy="one_device", seed=1, **settings,
    )  # fmt: skip
    assert made.shape == (2, 8, 8, 1) and list(truth) == [0, 1]
    return made


def test_every_block_says_which_file_it_is():
    assert len(BLOCKS) == TEXT.read_text("utf-8").count("```python")
    assert len(BLOCKS) >= 8


@pytest.mark.parametrize(
    "geometry", ["hyperbolic", pytest.param("euclidean", marks=pytest.mark.stress)]
)
def test_the_described_method_runs(add_method, geometry):
    add_method("energy")
    made = distilled(objective="energy", geometry=geometry)
    # Otherwise something else was compared than its readout.
    assert not np.array_equal(made, distilled(objective="dm", geometry=geometry))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("one_network", {}),
        ("pixel_mean", {"has_geometry": False}),
        ("moments", {"has_geometry": False}),
    ],
)
def test_the_described_objective_comparison_and_discrepancy_run(
    add_method, name, changes
):
    add_method(name, **changes)
    made = distilled(objective=name)
    assert not np.array_equal(made, distilled(objective="dm", geometry="hyperbolic"))


def test_the_described_geometry_is_one_minus_the_cosine(described):
    geometry = importlib.import_module("hdd_tf.geometry.cosine").CosineGeometry()
    real = geometry.summarize(np.float32([[[2, 0]], [[2, 0]], [[1, 1]]]))
    made = np.float32([[[5, 0], [1, 0]], [[0, 3], [0, 1]], [[-1, -1], [-3, -3]]])
    losses = geometry.loss(real, made).numpy()
    np.testing.assert_allclose(losses, [0, 1, 2], atol=1e-6)


def test_the_described_network_has_features_and_logits(described, monkeypatch):
    module = importlib.import_module("hdd_tf.networks.two_convolutions")
    monkeypatch.setitem(NETWORKS, "two", module.build_two_convolutions)
    model = build_network("two", (8, 8, 3), 5, depth=3, width=4).model
    outputs = model(np.zeros((2, 8, 8, 3), np.float32))
    assert outputs["logits"].shape == (2, 5)
    assert outputs["features"].shape == (2, 2 * 2 * 4)


def test_the_described_encoding_keeps_a_set(described, monkeypatch, tmp_path):
    npy = importlib.import_module("hdd_tf.artifacts.encodings.npy").Npy()
    monkeypatch.setitem(ENCODINGS, "npy", npy)
    images = np.random.default_rng(0).normal(100, 200, (4, 3, 3, 1))
    metadata = {
        "dataset": "shapes", "label_names": ["a", "b"], "mean": [0.1], "std": [0.5],
        "objective": "dm", "geometry": "none", "source": {},
    }  # fmt: skip
    written = distilled_set.DistilledSet(
        images.astype(np.float32), np.int64([0, 0, 1, 1]), metadata
    )
    distilled_set.write_distilled_set(tmp_path / "set", written, "npy")
    read = distilled_set.read_distilled_set(tmp_path / "set")
    np.testing.assert_array_equal(read.images, written.images)
    np.testing.assert_array_equal(read.labels, written.labels)
    # Another number of images than the set says, with right checksums, is refused.
    metadata = {**metadata, "num_images": 3, "image_shape": [3, 3, 1]}
    with pytest.raises(ValueError, match="arrays of"):
        npy.read(tmp_path / "set", metadata)


def test_every_place_that_is_named_exists():
    root = TEXT.parents[1]
    named = set(re.findall(r"`((?:[\w-]+/)+[\w.]*)`", TEXT.read_text("utf-8")))
    assert len(named) > 15
    # A folder of flags for a method that the recipe makes up.
    for name in named - {"flags/energy/"}:
        assert (root / name).exists() or (root / "hdd_tf" / name).exists(), name
