"""The environment of a result: versions, source revision, devices and threads."""

import importlib.metadata
import os
import pathlib
import platform
import subprocess
from typing import Any

import tensorflow as tf

_LIBRARIES = ("hdd-tf", "tensorflow", "keras", "tensorflow-datasets", "numpy")


def library_versions() -> dict[str, str]:
    """Returns the versions of Python, hdd_tf and the libraries that hdd_tf uses."""
    versions = {"python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            versions[library] = "not installed"
    return versions


def git_revision() -> str | None:
    """Returns the commit of hdd_tf's source, `-dirty` if edited; None without git."""
    here = pathlib.Path(__file__).resolve()
    # An installed copy may lie inside the repository of another project.
    if _git(here.parent, "ls-files", "--error-unmatch", here.name) is None:
        return None
    revision = _git(here.parent, "rev-parse", "HEAD")
    if revision and _git(here.parent, "status", "--porcelain", "-uno"):
        revision += "-dirty"
    return revision


def describe_environment() -> dict[str, Any]:
    """Returns the environment that `config.json` records beside the flags.

    The devices are the physical ones, because a query of the logical devices would fix
    how TensorFlow splits them. The number of threads is recorded because sums depend on
    it.
    """
    return {
        "libraries": library_versions(),
        "git_revision": git_revision(),
        "platform": platform.platform(),
        "devices": [device.name for device in tf.config.list_physical_devices()],
        "cpu_count": os.cpu_count(),
        "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads(),
    }


def _git(directory: pathlib.Path, *arguments: str) -> str | None:
    try:
        finished = subprocess.run(
            ["git", "-C", str(directory), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return finished.stdout.strip()
