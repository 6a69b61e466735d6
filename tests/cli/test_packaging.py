"""What a wheel holds, as setup.py says; no wheel is built for it."""

import importlib
import pathlib
import re
import runpy

import pytest
import setuptools

import hdd_tf

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def metadata():
    """The arguments of `setup`, as a build calls it."""
    given = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, "setup", given.update)
        patch.chdir(ROOT)
        runpy.run_path(str(ROOT / "setup.py"))
    return given


def files(metadata):
    """Returns the files of the packages, as they lie in the repository."""
    for package in metadata["packages"]:
        folder = metadata["package_dir"].get(package, package.replace(".", "/"))
        patterns = ["*.py", *metadata["package_data"].get(package, [])]
        for pattern in patterns:
            for path in (ROOT / folder).glob(pattern):
                yield path.relative_to(ROOT).as_posix()


def test_every_module_published_setting_and_distilled_set_is_in_it(metadata):
    found = set(files(metadata))
    assert found == {
        path.relative_to(ROOT).as_posix()
        for tree, pattern in (
            *(("hdd_tf", "*.py"), ("flags", "*.cfg")),
            # Every file: each set is whole there, with the terms of its data.
            ("distilled", "*.*"),
        )
        for path in (ROOT / tree).rglob(pattern)
    } | {"hdd_tf/py.typed"}
    assert {"hdd_tf/cli/export_set.py", "flags/idm/base.cfg"} <= found
    assert {"distilled/NOTICE.md", "distilled/digits_ipc10_dm/distilled.npz"} <= found


def test_the_version_is_that_of_the_package(metadata):
    assert metadata["version"] == hdd_tf.__version__
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.findall(r"^version: (.*)$", citation, re.M) == [hdd_tf.__version__]


def test_the_console_script_is_there(metadata):
    (script,) = metadata["entry_points"]["console_scripts"]
    name, _, program = script.partition("=")
    assert name == "hdd-tf"
    module, _, function = program.partition(":")
    assert callable(getattr(importlib.import_module(module), function))
