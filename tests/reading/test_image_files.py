import numpy as np
import pytest
from PIL import Image

from hdd_tf.errors import InputError
from hdd_tf.reading import image_files
from hdd_tf.reading.image_files import (
    ImageHeader,
    fit_image,
    read_header,
    read_image,
    read_images,
)

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (6, 9, 3)).astype(np.uint8)
GRAY = COLOURS[..., 0]


def save(path, array, mode=None, **options):
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


@pytest.mark.parametrize(
    "shape,size,left,top",
    [
        ((6, 9), (6, 6), 2, 0),  # Wider: round(1.5) is 2.
        ((9, 6), (6, 6), 0, 2),
        ((6, 9), (6, 8), 0, 0),
        ((6, 9), (6, 9), 0, 0),
    ],
)
def test_centre_is_cut_out_where_no_scaling_is_needed(shape, size, left, top):
    image = RNG.integers(0, 256, (*shape, 3)).astype(np.uint8)
    expected = image[top : top + size[0], left : left + size[1]]
    np.testing.assert_array_equal(fit_image(image, size), expected)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(8, 8), (5, 11), (30, 7), (61, 83)])
def test_scaling_keeps_proportions_and_the_centre(channels, size):
    # A pixel's value is its distance from the centre, which scaling only multiplies.
    rows, columns = np.mgrid[0:40, 0:60]
    image = np.stack([4 * abs(rows - 19.5), 3 * abs(columns - 29.5)], axis=-1)
    image = np.tile(image, (1, 1, 2))[..., :channels].astype(np.uint8)
    fitted = fit_image(image, size)
    assert fitted.shape == (*size, channels) and fitted.dtype == np.uint8
    scale = max(size[0] / 40, size[1] / 60)
    at = 4 * abs(np.arange(size[0]) - (size[0] - 1) / 2) / scale
    # Half a pixel of cutting and half of scaling, and the kink at the centre.
    np.testing.assert_allclose(fitted[:, 0, 0], at, atol=4 / min(scale, 1) + 1)


def test_scaling_down_averages():
    image = np.indices((64, 64)).sum(axis=0)[..., None] % 2 * 255
    fitted = fit_image(image.astype(np.uint8), (8, 8))
    # Without antialiasing a checkerboard stays black and white.
    assert abs(fitted.astype(int) - 127).max() < 4


@pytest.mark.parametrize(
    "suffix,array,mode,gray",
    [
        ("png", COLOURS, None, False),
        ("png", COLOURS, "RGBA", False),
        ("png", GRAY, None, True),
        ("png", GRAY, "LA", True),
        ("png", GRAY, "1", True),
        ("png", GRAY, "P", False),
        ("gif", GRAY, None, None),
        ("jpg", COLOURS, "CMYK", False),
        ("tif", COLOURS, None, False),
        ("ppm", COLOURS, None, False),
        ("webp", COLOURS, None, False),
    ],
)
def test_every_kind_of_image(tmp_path, suffix, array, mode, gray):
    path = save(tmp_path / f"x.{suffix}", array, mode)
    header = read_header(path)
    assert header[:2] == (6, 9)
    assert gray is None or header.gray is gray
    assert read_image(path, 1).shape == (6, 9, 1)
    image = read_image(path, 3)
    assert image.shape == (6, 9, 3) and image.dtype == np.uint8
    if gray:
        assert (image == image[..., :1]).all()
    elif suffix in ("png", "tif", "ppm") and mode is None:
        np.testing.assert_array_equal(image, array)


def test_sixteen_bits_are_scaled_to_eight(tmp_path):
    wide = np.array([[0, 255, 256, 65535]], np.uint16)
    path = save(tmp_path / "x.png", wide)
    assert read_header(path).gray
    assert read_image(path, 1).ravel().tolist() == [0, 0, 1, 255]


def test_transparent_palettes_are_read_without_a_warning(tmp_path):
    image = Image.fromarray(COLOURS).convert("P")
    image.save(tmp_path / "x.png", transparency=bytes(range(256)))
    assert read_image(tmp_path / "x.png", 3).shape == (6, 9, 3)


def test_orientation_that_a_camera_noted(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # To be turned clockwise.
    path = save(tmp_path / "x.png", COLOURS, exif=exif)
    assert read_header(path) == ImageHeader(9, 6, False)
    np.testing.assert_array_equal(read_image(path, 3), np.rot90(COLOURS, -1))


def test_floats_are_refused(tmp_path):
    path = save(tmp_path / "x.tif", GRAY.astype(np.float32))
    with pytest.raises(InputError, match=r"x.tif .*8 bits a channel"):
        read_header(path)


def test_what_is_no_image_and_what_is_cut_off(tmp_path):
    (tmp_path / "x.png").write_text("no image")
    with pytest.raises(InputError, match=r"x.png .*no image in any format") as caught:
        read_header(tmp_path / "x.png")
    assert "\n" not in str(caught.value)
    whole = save(tmp_path / "y.jpg", RNG.integers(0, 256, (64, 64, 3), np.uint8))
    whole.write_bytes(whole.read_bytes()[:-400])
    read_header(whole)  # Its head is whole.
    with pytest.raises(InputError, match=r"y.jpg .*truncated.*: repair it"):
        read_image(whole, 3)


def test_images_keep_the_order_of_their_files(tmp_path):
    paths = []
    for index in range(40):
        array = np.full((4, 4), index, np.uint8)
        paths.append(save(tmp_path / f"{index}.png", array))
    images = read_images(paths, 3, (8, 8), (2, 3))
    assert images.shape == (40, 2, 3, 3)
    assert images[:, 0, 0, 0].tolist() == list(range(40))
    (tmp_path / "7.png").write_text("damaged")
    with pytest.raises(InputError, match=r"7\.png"):
        read_images(paths, 3, (2, 2))


@pytest.mark.slow
def test_a_damaged_image_does_not_wait_for_the_others(tmp_path, monkeypatch):
    asked = []

    def read(path, *_):
        asked.append(path)
        raise InputError(f"{path} is damaged")

    monkeypatch.setattr(image_files, "read_image", read)
    with pytest.raises(InputError, match=r"^0 is damaged"):
        read_images(range(100_000), 3, (2, 2))
    assert len(asked) < 100_000
