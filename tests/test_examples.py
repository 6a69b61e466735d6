"""The examples run where hdd_tf cannot be imported, as their readers would run them."""

import importlib.util
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from hdd_tf.artifacts.distilled_set import DistilledSet, write_distilled_set
from hdd_tf.data.digits import read_digits

ROOT = pathlib.Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "train_on_distilled.py"
# Even an installed hdd_tf is out of reach: the first finder of modules refuses it.
BLOCKED = """
import runpy, sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "hdd_tf":
            raise ModuleNotFoundError("hdd_tf is blocked")

sys.meta_path.insert(0, Block())
"""
REACHABLE = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"


def python(code, *arguments, cwd):
    """Runs code in an interpreter that knows nothing of the clone or environment."""
    return subprocess.run(
        [sys.executable, "-I", "-c", code, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
    )


def run_example(*arguments, cwd):
    code = f"sys.argv[0] = {str(EXAMPLE)!r}\n"
    code += f"runpy.run_path({str(EXAMPLE)!r}, run_name='__main__')"
    done = python(BLOCKED + code, *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def load_example():
    spec = importlib.util.spec_from_file_location("train_on_distilled", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    return example


def percentages(text):
    return {
        name: float(value)
        for name, value in re.findall(r"^(.*accuracy.*): ([\d.]+) %$", text, re.M)
    }


@pytest.fixture(scope="module")
def digits_set(tmp_path_factory):
    """Five real digits of each class, as a run would write them."""
    return write_digits(tmp_path_factory.mktemp("run") / "synthetic", "float32")


def write_digits(directory, encoding):
    training, _, label_names = read_digits()
    rows = [np.flatnonzero(training.labels == digit)[:5] for digit in range(10)]
    metadata = {
        "dataset": "digits",
        "label_names": label_names,
        "mean": [0.3],
        "std": [0.35],
        "objective": "dm",
        "geometry": "hyperbolic",
        "source": {},
    }
    images = training.images[np.array(rows)]
    distilled_set = DistilledSet.from_class_images(images, metadata)
    write_distilled_set(directory, distilled_set, encoding)
    return directory


def test_the_block_works(tmp_path):
    assert python(REACHABLE + "import hdd_tf.errors", cwd=tmp_path).returncode == 0
    done = python(REACHABLE + BLOCKED + "import hdd_tf.errors", cwd=tmp_path)
    assert done.returncode == 1
    assert "hdd_tf is blocked" in done.stderr


def test_training_on_a_set_read_by_tfds(digits_set, tmp_path):
    out = run_example(
        digits_set, "--epochs=20", "--width=32", "--test=digits", cwd=tmp_path
    )
    assert "50 images of digits, 10 classes, read with tfds" in out
    accuracy = percentages(out)
    assert accuracy["training accuracy"] > 90
    # Chance is 10 %.
    assert accuracy["test accuracy on digits"] > 50


def test_training_on_a_set_read_by_plain_tf_data(digits_set, tmp_path):
    out = run_example(
        digits_set, "--reader=tfrecord", "--epochs=20", "--width=32", cwd=tmp_path
    )
    assert "read with tfrecord" in out
    assert percentages(out).keys() == {"training accuracy"}
    assert percentages(out)["training accuracy"] > 90


def test_pixels_are_read_as_floats_are(digits_set, tmp_path):
    # These digits are integers, so both encodings hold the same.
    png = write_digits(tmp_path / "png", "png")
    example = load_example()
    for read in (example.read_with_tfds, example.read_with_tfrecord):
        of_floats, of_pixels = (
            list(read(place).as_numpy_iterator()) for place in (digits_set, png)
        )
        assert len(of_floats) == len(of_pixels) == 50
        for (image, label), (pixels, same_label) in zip(
            of_floats, of_pixels, strict=True
        ):
            np.testing.assert_array_equal(pixels, image)
            assert pixels.dtype == np.uint8
            assert label == same_label


def test_the_example_tests_on_digits_that_the_set_is_not_made_from():
    example = load_example()
    pairs = list(example.read_digits_test_split().as_numpy_iterator())
    _, test, _ = read_digits()
    order = np.argsort(test.labels, kind="stable")
    np.testing.assert_array_equal([image for image, _ in pairs], test.images[order])
    np.testing.assert_array_equal([label for _, label in pairs], test.labels[order])
