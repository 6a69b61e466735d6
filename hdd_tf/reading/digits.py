"""scikit-learn's embedded digits: real scans that need no download."""

import numpy as np
import tensorflow as tf

from hdd_tf.data.dataset import LabelledImages

_SIZE = 32
_NUM_TEST = 500


def read_digits() -> tuple[LabelledImages, LabelledImages, tuple[str, ...]]:
    """Reads the 1,797 scans of handwritten digits.

    The scans have 8x8 pixels with values 0-16. They are enlarged bilinearly to 32x32x1
    images with values 0-255.

    Returns:
        Training split, test split and class names. The splits are fixed: the test
        images of each digit are spaced evenly over the file, so that both splits
        contain all writers.

    Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI
    Machine Learning Repository (the part that scikit-learn embeds).
    """
    from sklearn import datasets  # Takes a second, and only this data set needs it.

    scans, labels = datasets.load_digits(return_X_y=True)
    scans = tf.constant(scans.reshape(-1, 8, 8, 1), tf.float32)
    # The weights are multiples of 1/64, so all platforms compute the same bytes.
    enlarged = tf.image.resize(scans, (_SIZE, _SIZE), "bilinear").numpy()
    images = np.rint(enlarged * np.float32(255 / 16)).astype(np.uint8)
    whole = LabelledImages(images, labels.astype(np.int64))
    is_test = np.zeros(len(labels), bool)
    for label in range(10):
        rows = np.flatnonzero(labels == label)
        quota = round(len(rows) * _NUM_TEST / len(labels))
        is_test[rows[(np.arange(quota) * 2 + 1) * len(rows) // (2 * quota)]] = True
    return (
        whole.take(np.flatnonzero(~is_test)),
        whole.take(np.flatnonzero(is_test)),
        tuple(str(digit) for digit in range(10)),
    )
