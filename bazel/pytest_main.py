"""Runs pytest on the files it is given, as a test of Bazel's."""

import os
import sys

import pytest

if __name__ == "__main__":
    # Files of a test are read-only, so pytest's cache has no place.
    options = ["-p", "no:cacheprovider", "-c", "pyproject.toml"]
    if "XML_OUTPUT_FILE" in os.environ:
        options.append(f"--junitxml={os.environ['XML_OUTPUT_FILE']}")
    # bazel test --test_filter=WORDS
    if "TESTBRIDGE_TEST_ONLY" in os.environ:
        options += ["-k", os.environ["TESTBRIDGE_TEST_ONLY"]]
    sys.exit(pytest.main([*options, *sys.argv[1:]]))
