"""A few cases of each property of benchmarks/fuzz_readers.py, always the same ones."""

import os

import pytest

from benchmarks import fuzz_readers

# For a longer look: HDD_TF_FUZZ_CASES=5000, or the program itself with --minutes.
CASES = int(os.environ.get("HDD_TF_FUZZ_CASES", "25"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "test", fuzz_readers.PROPERTIES, ids=lambda test: test.__name__
)
def test_property(test):
    fuzz_readers.run_property(test, CASES)
    assert fuzz_readers.CASES[test.__name__] >= min(CASES, 5)
