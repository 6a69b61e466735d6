"""Where the images start, and what they are on the 0-255 scale."""

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.artifacts.sets.decoding import decode_set
from hdd_tf.artifacts.sets.distilled_set import DistilledSet, write_distilled_set
from hdd_tf.artifacts.sets.initial_images import initial_images
from hdd_tf.data.class_store import ClassStore
from hdd_tf.data.normalisation import Normalisation, whitening_of
from hdd_tf.distillation.synthetic_set import SyntheticSet
from hdd_tf.errors import InputError

MEAN, STD = (0.3, 0.4, 0.5), (0.2, 0.25, 0.3)
NORMALISATION = Normalisation(MEAN, STD)


@pytest.fixture(scope="module")
def store():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [5, 6, 7])
    images = rng.integers(0, 256, (18, 4, 6, 3), np.uint8)
    return ClassStore(images, labels, 3, Normalisation(MEAN, STD)), images, labels


def test_real_start_is_distinct_images_of_each_class(store):
    store, images, labels = store
    start = initial_images("real", store, 5, seed=1, num_classes=3)
    pixels = np.rint(SyntheticSet(start, NORMALISATION).pixels()).astype(np.uint8)
    for label in range(3):
        real = {image.tobytes() for image in images[labels == label]}
        chosen = {image.tobytes() for image in pixels[label]}
        assert len(chosen) == 5 and chosen <= real
    again = initial_images("real", store, 5, seed=1, num_classes=3)
    other = initial_images("real", store, 5, seed=2, num_classes=3)
    np.testing.assert_array_equal(start, again)
    assert not np.array_equal(start, other)


def test_more_images_than_a_class_has(store):
    with pytest.raises(InputError, match=r"--ipc=6 .* \(class 0: 5 training images\)"):
        initial_images("real", store[0], 6, seed=0, num_classes=3)
    # Noise needs no real images.
    assert initial_images("noise", store[0], 6, 0, 3).shape == (3, 6, 4, 6, 3)


def test_noise_is_standard_normal_where_networks_see_it(store):
    noise = initial_images("noise", store[0], 100, seed=0, num_classes=3).numpy()
    assert abs(noise.mean()) < 0.02 and abs(noise.std() - 1) < 0.02


def test_start_from_an_earlier_set(store, tmp_path):
    pixels = np.random.default_rng(1).normal(128, 90, (3, 2, 4, 6, 3))
    metadata = {
        "dataset": "x", "label_names": ["a", "b", "c"], "mean": MEAN, "std": STD,
        "objective": "dm", "geometry": "hyperbolic", "source": {},
    }  # fmt: skip
    write_distilled_set(
        tmp_path / "set", DistilledSet.from_class_images(pixels, metadata)
    )
    start = initial_images(f"from:{tmp_path / 'set'}", store[0], 2, 0, 3)
    found = SyntheticSet(start, NORMALISATION).pixels()
    # Values outside 0-255 survive too.
    np.testing.assert_allclose(found, pixels, atol=1e-3)
    with pytest.raises(InputError, match="3 classes x 1"):
        initial_images(f"from:{tmp_path / 'set'}", store[0], 1, 0, 3)


@pytest.mark.parametrize("unit_range", [False, True])
@pytest.mark.parametrize("factor", [2, 3])
def test_networks_see_in_matching_what_the_decoded_files_hold(factor, unit_range):
    # Sides of 7 and 5 pixels: padded with grey in either space.
    rng = np.random.default_rng(0)
    start = rng.normal(size=(2, 3, 7, 5, 3)).astype(np.float32)
    images = SyntheticSet(start, NORMALISATION, factor, unit_range)
    metadata = {
        "dataset": "toy", "label_names": ["a", "b"], "mean": MEAN, "std": STD,
        "objective": "idm", "geometry": "euclidean", "source": {},
        "formation_factor": factor,
    }  # fmt: skip
    stored = DistilledSet.from_class_images(images.pixels(), metadata)
    pixels = decode_set(stored).images
    from_files = (pixels / 255 - np.float32(MEAN)) / np.float32(STD)
    seen = images.decode(tf.convert_to_tensor(images.images)).numpy()
    assert seen.shape == (2, images.decoded_ipc, 7, 5, 3)
    np.testing.assert_allclose(
        seen.reshape(from_files.shape), from_files, rtol=1e-4, atol=1e-5
    )
    if unit_range:
        assert stored.images.min() >= 0 and stored.images.max() <= 255


@pytest.mark.parametrize("init", ["real", "mix"])
def test_every_cell_of_the_start_is_another_real_image(store, init):
    store, images, labels = store
    # 1 image x 4 cells of 5 images in the smallest class.
    start = initial_images(init, store, 1, 1, 3, formation_factor=2)
    assert start.shape == (3, 1, 4, 6, 3)
    pixels = SyntheticSet(start, NORMALISATION, 2).pixels()
    if init == "mix":  # Each pixel is one of some image of its class.
        for label in range(3):
            corners = images[labels == label][:, 0, 0]
            found = np.rint(pixels[label, 0, ::2, ::3]).reshape(4, 3)
            rows = [tuple(corner) for corner in found]
            assert len(set(rows)) == 4
            assert set(rows) <= {tuple(corner) for corner in corners}
    with pytest.raises(InputError, match=r"--ipc=2 x 4 cells is .* \(a: 5 tr"):
        initial_images(init, store, 2, 1, 3, 2, ("a", "b", "c"))


def test_limits_of_whitened_images_are_those_of_their_pixels():
    rng = np.random.default_rng(0)
    real = rng.integers(0, 256, (20, 4, 4, 1)).astype(np.uint8)
    whitened = Normalisation((0.5,), (0.2,), whitening_of(real))
    images = whitened.normalise(real[:2]).reshape(2, 1, 4, 4, 1)
    limits = SyntheticSet(tf.constant(images), whitened).limits()
    np.testing.assert_allclose(limits, (real[:2].min(), real[:2].max()), atol=0.01)


def test_limits_are_those_of_the_pixels_to_the_bit():
    rng = np.random.default_rng(5)
    for unit_range in (False, True):
        images = SyntheticSet(
            tf.constant(rng.normal(size=(7, 3, 9, 5, 3)), tf.float32),
            Normalisation((0.3, 0.41, 0.517), (0.21, 0.25, 0.233)),
            unit_range=unit_range,
        )
        shown = images.shown(images.images)
        assert images.limits() == (
            float(tf.reduce_min(shown)),
            float(tf.reduce_max(shown)),
        )
        expected = (
            images.images.numpy() * images.scale.numpy() + images.offset
        ) * 255.0
        np.testing.assert_array_equal(images.pixels(), expected)
