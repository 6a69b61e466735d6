import numpy as np
import pytest

from hdd_tf.data.dataset import Dataset, LabelledImages, channel_statistics


@pytest.mark.parametrize("shape", [(7, 5, 6, 3), (1, 4, 4, 1), (41, 300, 300, 2)])
def test_statistics_equal_numpy(shape):
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    images[..., 0] //= 3  # Channels must not be mixed up.
    mean, std = channel_statistics(images)
    scaled = images / 255.0
    np.testing.assert_allclose(mean, scaled.mean((0, 1, 2)), rtol=1e-10)
    np.testing.assert_allclose(std, scaled.std((0, 1, 2)), rtol=1e-10)


def test_normalise():
    images = np.random.default_rng(1).integers(0, 256, (4, 3, 2, 2)).astype(np.uint8)
    part = LabelledImages(images, np.array([0, 1, 0, 1]))
    dataset = Dataset("x", part, None, part, ("a", "b"), (0.25, 0.5), (0.2, 0.4))
    normalised = dataset.normalise(images)
    assert normalised.dtype == np.float32
    expected = (images / 255 - [0.25, 0.5]) / [0.2, 0.4]
    np.testing.assert_allclose(normalised, expected, atol=1e-6)
    assert dataset.image_shape == (3, 2, 2)
    assert dataset.num_classes == 2


def test_take_copies_images_with_their_labels():
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
    part = LabelledImages(images, np.arange(5)).take(np.array([3, 1]))
    assert part.images.ravel().tolist() == part.labels.tolist() == [3, 1]
    part.images[:] = 9
    assert images.ravel().tolist() == [0, 1, 2, 3, 4]


def test_the_checksum_is_of_every_pixel_and_label():
    images = np.arange(24, dtype=np.uint8).reshape(4, 3, 2, 1)
    labels = np.array([0, 1, 0, 1])
    part = LabelledImages(images, labels)
    assert part.checksum == LabelledImages(images.copy(), labels.copy()).checksum
    # A view in another order of memory is the same images.
    fortran = LabelledImages(np.asfortranarray(images), labels)
    assert part.checksum == fortran.checksum
    brighter = images.copy()
    brighter[3, 2, 1, 0] += 1
    for other in (
        LabelledImages(brighter, labels),
        LabelledImages(images, np.array([0, 1, 1, 1])),
        part.take(np.array([1, 0, 2, 3])),
    ):
        assert part.checksum != other.checksum
