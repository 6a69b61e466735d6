"""Channel statistics and whitening, of arrays and of tensors."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from hdd_tf.data.normalisation import Normalisation, Whitening, whitening_of

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "datm.npz"
CHANNELS = Normalisation((0.4, 0.5), (0.2, 0.3))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (30, 4, 3, 2)).astype(np.uint8)


@pytest.fixture(scope="module")
def whitened(images):
    return Normalisation((0.0, 0.0), (1.0, 1.0), whitening_of(images))


def test_channels_by_definition_and_back(images):
    expected = (images / 255 - np.array(CHANNELS.mean)) / np.array(CHANNELS.std)
    found = CHANNELS.normalise(images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(CHANNELS.to_pixels(found), images, atol=1e-4)
    assert CHANNELS.to_pixels(found).dtype == np.float32


@pytest.mark.parametrize("dtype", [tf.uint8, tf.float32])
@pytest.mark.parametrize("kind", ["channels", "whitened"])
def test_tensors_are_the_arrays(images, whitened, kind, dtype):
    normalisation = CHANNELS if kind == "channels" else whitened
    expected = normalisation.normalise(images).reshape(5, 6, 4, 3, 2)
    pixels = tf.cast(tf.constant(images.reshape(5, 6, 4, 3, 2)), dtype)
    for function in (normalisation.tensors(), normalisation.row_tensors(3)):
        found = tf.function(function)(pixels)
        assert found.dtype == tf.float32 and found.shape == pixels.shape
        np.testing.assert_allclose(found, expected, atol=2e-6)


def test_no_graph_folds_the_constants(images):
    # A constant made inside a graph may be folded into others, and bits change.
    function = tf.function(CHANNELS.tensors()).get_concrete_function(
        tf.TensorSpec([None, 4, 3, 2], tf.uint8)
    )
    assert len(function.captured_inputs) == 2


def test_whitening_is_that_of_datm():
    golden = np.load(GOLDEN, allow_pickle=False)
    images = golden["zca_images"]
    flat = images.reshape(len(images), -1)
    # The released program's images are not rounded, so the eigenpairs come from here.
    values, vectors = np.linalg.eigh(np.cov(flat, rowvar=False))
    whitening = Whitening(
        flat.mean(0).astype(np.float32),
        vectors.astype(np.float32),
        np.maximum(values, 0).astype(np.float32),
        float(golden["zca_eps"]),
    )
    normalisation = Normalisation((0.5,) * 3, (0.5,) * 3, whitening)
    for source, expected in (
        (images, golden["zca_whitened"]),
        (golden["zca_other"], golden["zca_other_whitened"]),
    ):
        found = normalisation.normalise(source * 255)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    back = normalisation.to_pixels(golden["zca_other_whitened"].astype(np.float32))
    expected = golden["zca_inverse_of_other_whitened"] * 255
    np.testing.assert_allclose(back, expected, atol=1e-3)


def test_whitening_of_blocks_is_the_covariances(images, monkeypatch):
    # Blocks of 7: the last one is smaller.
    monkeypatch.setattr("hdd_tf.data.normalisation._BLOCK_VALUES", 7 * 24)
    whitening = whitening_of(images, epsilon=0.05)
    flat = images.reshape(30, -1) / 255
    np.testing.assert_allclose(whitening.mean, flat.mean(0), rtol=1e-6)
    rebuilt = (whitening.vectors * whitening.values) @ whitening.vectors.T
    np.testing.assert_allclose(rebuilt, np.cov(flat, rowvar=False), atol=1e-6)
    # What is whitened has the covariance s / (s + epsilon).
    found = Normalisation((), (), whitening).normalise(images).reshape(30, -1)
    spectrum = np.linalg.eigvalsh(np.cov(found, rowvar=False))
    expected = whitening.values / (whitening.values + 0.05)
    np.testing.assert_allclose(spectrum, expected, atol=1e-5)


def test_fewer_images_than_pixels_and_back(images):
    normalisation = Normalisation((), (), whitening_of(images[:4]))
    assert (normalisation.whitening.values >= 0).all()
    found = normalisation.normalise(images)
    np.testing.assert_allclose(normalisation.to_pixels(found), images, atol=1e-2)


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"vectors": np.eye(3, dtype=np.float32)}, r"`vectors` must be .*\(2, 2\)"),
        ({"values": np.zeros(2)}, "`values` must be float32"),
        ({"mean": np.array([0, np.nan], np.float32)}, "`mean` must be finite"),
        ({"values": np.array([-1, 0], np.float32)}, "`values` must be >= 0"),
        ({"epsilon": 0.0}, "`epsilon` > 0"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, said):
    right = {
        "mean": np.zeros(2, np.float32),
        "vectors": np.eye(2, dtype=np.float32),
        "values": np.ones(2, np.float32),
    }
    Whitening(**right)
    with pytest.raises(ValueError, match=said):
        Whitening(**{**right, **changes})


def test_whitening_of_one_image_is_refused(images):
    with pytest.raises(ValueError, match="n >= 2"):
        whitening_of(images[:1])
