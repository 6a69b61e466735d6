import hashlib

import numpy as np
import pytest
from sklearn import datasets

from hdd_tf.reading.digits import read_digits


@pytest.fixture(scope="module")
def digits():
    return read_digits()


def test_split_is_fixed_and_stratified(digits):
    training, test, names = digits
    assert names == tuple("0123456789")
    assert (len(training.labels), len(test.labels)) == (1297, 500)
    assert set(np.bincount(test.labels)) <= {48, 49, 50, 51}
    # Scores of different runs compare only while these are the same images.
    digest = hashlib.sha256(test.images.tobytes() + test.labels.tobytes())
    assert digest.hexdigest()[:16] == "e1e5e616f9d519c2"


def test_every_scan_is_enlarged_bilinearly_into_one_split(digits):
    scans, labels = datasets.load_digits(return_X_y=True)
    # The centre of output pixel i lies at (i + 1/2) / 4 - 1/2 of the scan.
    at = np.clip((np.arange(32) + 0.5) / 4 - 0.5, 0, 7)
    low = np.minimum(at.astype(int), 6)
    weights = np.zeros((32, 8))
    weights[np.arange(32), low] = 1 - (at - low)
    weights[np.arange(32), low + 1] = at - low
    enlarged = weights @ scans.reshape(-1, 8, 8) @ weights.T
    expected = np.rint(enlarged * 255 / 16).astype(np.uint8)

    found = []
    for part in digits[:2]:
        assert part.images.shape[1:] == (32, 32, 1)
        assert part.images.dtype == np.uint8 and part.labels.dtype == np.int64
        assert part.images.min() == 0 and part.images.max() == 255
        found += zip(part.labels.tolist(), map(bytes, part.images), strict=True)
    assert sorted(found) == sorted(
        zip(labels.tolist(), map(bytes, expected), strict=True)
    )
