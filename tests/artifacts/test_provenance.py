import json
import subprocess

import numpy as np
import tensorflow as tf

from hdd_tf.artifacts import provenance


def test_versions_are_those_in_use():
    versions = provenance.library_versions()
    assert versions["tensorflow"] == tf.__version__
    assert versions["numpy"] == np.__version__


def test_the_environment_is_plain_values():
    environment = provenance.describe_environment()
    assert environment["devices"][0].startswith("/physical_device:CPU")
    assert json.loads(json.dumps(environment)) == environment


def test_git_revision_is_that_of_the_source(tmp_path, monkeypatch):
    def git(*arguments):
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    source = tmp_path / "provenance.py"
    source.write_text("code\n")
    monkeypatch.setattr(provenance, "__file__", str(source))
    assert provenance.git_revision() is None
    git("init")
    git("commit", "--allow-empty", "-m", "someone else's repository")
    # Not in it: an installed copy below the directory of another project.
    assert provenance.git_revision() is None
    git("add", "provenance.py")
    git("commit", "-m", "ours")
    revision = git("rev-parse", "HEAD")
    assert provenance.git_revision() == revision
    source.write_text("edited\n")
    assert provenance.git_revision() == f"{revision}-dirty"


def test_no_git_is_no_revision(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.git_revision() is None
