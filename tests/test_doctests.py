"""The examples in the docstrings of what users and authors of methods import."""

import doctest
import importlib

import pytest
import tensorflow as tf

import hdd_tf
from hdd_tf.api import distilling

# Modules whose examples are run, and how many examples each has at least.
MODULES = {
    "hdd_tf.geometry.lorentz": 2,
    "hdd_tf.geometry.centroids": 1,
    "hdd_tf.geometry.layers": 2,
    "hdd_tf.geometry.losses": 2,
}


def failures(tests):
    """Runs examples; returns what they print where it is not what they say."""
    printed = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in tests:
        runner.run(test, out=printed.append)
    return "".join(printed)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module(name):
    found = doctest.DocTestFinder().find(importlib.import_module(name))
    tests = [test for test in found if test.examples]
    assert len(tests) >= MODULES[name]
    assert failures(tests) == ""


@pytest.mark.slow
def test_examples_of_the_public_interface(tmp_path, monkeypatch):
    # Examples write below the working directory.
    monkeypatch.chdir(tmp_path)
    # Not over the logical devices of tests/conftest.py.
    one_device = tf.distribute.OneDeviceStrategy("CPU:0")
    monkeypatch.setattr(distilling, "build_strategy", lambda *_: one_device)
    finder = doctest.DocTestFinder()
    public = [getattr(hdd_tf, name) for name in hdd_tf.__all__]
    documented = [item for item in public if getattr(item, "__doc__", None)]
    assert documented
    tests = [
        test
        for item in documented
        for test in finder.find(item, getattr(item, "__name__", "hdd_tf"))
        if test.examples
    ]
    for test in tests:
        test.globs = {**test.globs, "hdd_tf": hdd_tf}
    assert failures(tests) == ""


def test_a_wrong_example_is_found():
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", "", 0)
    assert "Expected:\n    3" in failures([test])
