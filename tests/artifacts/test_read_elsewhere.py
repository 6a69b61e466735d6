"""Each encoding is read by the programs it is for, where hdd_tf cannot be imported."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from hdd_tf.artifacts.encodings.registry import ENCODINGS
from hdd_tf.artifacts.sets.distilled_set import DistilledSet, write_distilled_set
from tests.artifacts.full_set import RECIPE, full_set

pytestmark = pytest.mark.slow

READERS = """
import json, os, pathlib, sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "hdd_tf":
            raise ModuleNotFoundError("hdd_tf is blocked")

sys.meta_path.insert(0, Block())
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

place = pathlib.Path(sys.argv[1])
found = {}
for name in ("float32", "png"):
    builder = tfds.builder_from_directory(place / name)
    examples = list(tfds.as_numpy(builder.as_dataset(split="train")))
    found[f"{name}_images"] = np.stack([e["image"] for e in examples])
    found[f"{name}_labels"] = np.stack([e["label"] for e in examples])
    found[f"{name}_names"] = np.array(builder.info.features["label"].names)

shape = json.loads((place / "png_folder" / "hdd_tf.json").read_text())["image_shape"]
pairs = keras.utils.image_dataset_from_directory(
    place / "png_folder", image_size=shape[:2], shuffle=False, batch_size=None,
    color_mode="rgb", verbose=False,
)
found["png_folder_images"] = np.stack([image for image, _ in pairs.as_numpy_iterator()])
found["png_folder_labels"] = np.stack([label for _, label in pairs.as_numpy_iterator()])
found["png_folder_names"] = np.array(pairs.class_names)

for name, file in (("npz", "distilled.npz"), ("dd_ranking", "dd_ranking.npz")):
    with np.load(place / name / file, allow_pickle=False) as arrays:
        for key in arrays:
            found[f"{name}_{key}"] = arrays[key]
# Sets that carry more.
for name in ("float32", "png"):
    builder = tfds.builder_from_directory(place / f"full_{name}")
    examples = list(tfds.as_numpy(builder.as_dataset(split="train")))
    for key in ("label", "label_logits"):
        found[f"full_{name}_{key}"] = np.stack([e[key] for e in examples])
folder = place / "full_png_folder"
said = json.loads((folder / "hdd_tf.json").read_text())
with np.load(folder / "label_logits.npz", allow_pickle=False) as arrays:
    files = list(arrays["files"])
    found["full_png_folder_label_logits"] = arrays["label_logits"]
root = folder / said["layout"]["root"]
pairs = keras.utils.image_dataset_from_directory(
    root, image_size=shape[:2], shuffle=False, batch_size=None, verbose=False,
)
assert [os.path.relpath(path, folder) for path in pairs.file_paths] == files
found["full_png_folder_names"] = np.array(pairs.class_names)
for name, file in (("npz", "distilled.npz"), ("dd_ranking", "dd_ranking.npz")):
    with np.load(place / f"full_{name}" / file, allow_pickle=False) as arrays:
        found[f"full_{name}_label_logits"] = arrays["label_logits"]
metadata = json.loads((place / "full_float32" / "hdd_tf.json").read_text())
found["rate"], found["temperature"] = (
    metadata["student_rate"], metadata["recipe"]["temperature"],
)
images = found["float32_images"]
teacher = tf.saved_model.load(place / "full_float32" / "teacher")
found["teacher_logits"] = teacher(images)["logits"].numpy()
layer = keras.layers.TFSMLayer(
    place / "full_float32" / "teacher", call_endpoint="serving_float"
)
found["teacher_probabilities"] = layer(images)["probabilities"].numpy()
np.savez(place / "found.npz", **found)
"""
NAMES = ["round", "a/b", "čtverec"]


@pytest.fixture(scope="module")
def written():
    images = np.random.default_rng(1).normal(127, 120, [7, 6, 9, 3])
    return DistilledSet(
        images=images.astype(np.float32),
        labels=np.array([0, 0, 0, 1, 2, 2, 2]),
        metadata={
            "dataset": "shapes", "label_names": NAMES, "mean": [0.1, 0.2, 0.3],
            "std": [0.4, 0.5, 0.6], "objective": "dm", "geometry": "euclidean",
            "source": {},
        },
    )  # fmt: skip


@pytest.fixture(scope="module")
def carried(written):
    return full_set(written.take(np.array([4, 0, 3, 1, 5, 6, 2])))


@pytest.fixture(scope="module")
def found(written, carried, tmp_path_factory):
    place = tmp_path_factory.mktemp("sets")
    for encoding in ENCODINGS:
        write_distilled_set(place / encoding, written, encoding)
        kept = None if encoding == "dd_ranking" else carried.whitening
        of_encoding = dataclasses.replace(carried, whitening=kept)
        write_distilled_set(place / f"full_{encoding}", of_encoding, encoding)
    done = subprocess.run(
        [sys.executable, "-I", "-c", READERS, str(place)],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    with np.load(place / "found.npz") as arrays:
        return dict(arrays)


def test_tfds_reads_floats(written, found):
    np.testing.assert_array_equal(found["float32_images"], written.images)
    np.testing.assert_array_equal(found["float32_labels"], written.labels)
    assert list(found["float32_names"]) == NAMES


def test_tfds_decodes_pixels(written, found):
    assert found["png_images"].dtype == np.uint8
    expected = np.clip(np.rint(written.images), 0, 255)
    np.testing.assert_array_equal(found["png_images"], expected)
    np.testing.assert_array_equal(found["png_labels"], written.labels)
    assert list(found["png_names"]) == NAMES


def test_keras_reads_folders_in_the_order_of_the_labels(written, found):
    expected = np.clip(np.rint(written.images), 0, 255)
    np.testing.assert_array_equal(found["png_folder_images"], expected)
    np.testing.assert_array_equal(found["png_folder_labels"], written.labels)
    assert list(found["png_folder_names"]) == ["000_round", "001_a_b", "002_ctverec"]


def test_numpy_reads_all_that_networks_need(written, found):
    np.testing.assert_array_equal(found["npz_images"], written.images)
    np.testing.assert_array_equal(found["npz_labels"], written.labels)
    assert list(found["npz_label_names"]) == NAMES
    np.testing.assert_allclose(found["npz_mean"], [0.1, 0.2, 0.3], rtol=1e-6)
    np.testing.assert_allclose(found["npz_std"], [0.4, 0.5, 0.6], rtol=1e-6)
    assert found["npz_cells"] == 1


def test_numpy_reads_the_tensors_of_dd_ranking(written, found):
    images, labels = found["dd_ranking_images"], found["dd_ranking_labels"]
    assert images.shape == (7, 3, 6, 9)
    assert (images.dtype, labels.dtype) == (np.float32, np.int64)
    # Torch takes it as it lies in memory.
    assert images.flags.c_contiguous
    mean, std = found["dd_ranking_mean"], found["dd_ranking_std"]
    seen = (written.images / 255 - mean) / std
    np.testing.assert_allclose(images.transpose(0, 2, 3, 1), seen, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(labels, written.labels)


def test_soft_labels_are_read_with_the_images_or_beside_them(carried, found):
    by_class = np.argsort(carried.labels, kind="stable")
    for name in ENCODINGS:
        kept_by_class = name in ("png_folder", "dd_ranking")
        order = by_class if kept_by_class else np.arange(len(by_class))
        logits = found[f"full_{name}_label_logits"]
        np.testing.assert_array_equal(logits, carried.label_logits[order])
    np.testing.assert_array_equal(found["full_float32_label"], carried.labels)
    # The teacher's folder is no class.
    assert len(found["full_png_folder_names"]) == len(NAMES)
    assert found["rate"] == carried.student_rate
    assert found["temperature"] == RECIPE["temperature"]


def test_tensorflow_loads_the_teacher(written, carried, found):
    normalised = carried.normalisation.normalise(written.images)
    expected = carried.teacher.logits_function()(normalised).numpy()
    np.testing.assert_allclose(found["teacher_logits"], expected, rtol=1e-4, atol=1e-5)
    shares = np.exp(expected - expected.max(axis=1, keepdims=True))
    np.testing.assert_allclose(
        found["teacher_probabilities"],
        shares / shares.sum(axis=1, keepdims=True),
        rtol=1e-4,
        atol=1e-6,
    )
