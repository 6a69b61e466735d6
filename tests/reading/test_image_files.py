import struct
import tracemalloc
import weakref
import zlib

import numpy as np
import pytest
from PIL import Image

from hdd_tf.errors import InputError
from hdd_tf.reading.folders import image_files, image_parts
from hdd_tf.reading.folders.class_folders import ImageFiles, image_suffixes
from hdd_tf.reading.folders.compact_paths import Paths
from hdd_tf.reading.folders.image_files import (
    fit_image,
    read_image,
    read_images,
    used_bits,
)
from hdd_tf.reading.folders.image_headers import ImageHeader, read_header

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (6, 9, 3)).astype(np.uint8)
GRAY = COLOURS[..., 0]


def needs(feature):
    suffix = {"avif": ".avif", "jpg_2000": ".jp2"}[feature]
    return pytest.mark.skipif(
        suffix not in image_suffixes(), reason="this Pillow is built without it"
    )


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
        ("jfif", COLOURS, None, False),
        ("tga", COLOURS, None, False),
        pytest.param("avif", COLOURS, None, False, marks=needs("avif")),
        pytest.param("jp2", COLOURS, None, False, marks=needs("jpg_2000")),
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


XMP = '<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + b"\0\0\0\0"


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("kind", ["xmp", "exif"])
def test_orientation_anywhere_in_png(tmp_path, kind, place):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = {
        "xmp": (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP.encode()),
        "exif": (b"eXIf", exif.tobytes()[6:]),
    }[kind]
    body = chunk(*data)
    body = body[:-4] + struct.pack(">I", zlib.crc32(body[4:-4]))
    plain = save(tmp_path / "x.png", COLOURS).read_bytes()
    at = plain.index(b"IDAT") - 4 if place == "before" else plain.index(b"IEND") - 4
    (tmp_path / "x.png").write_bytes(plain[:at] + body + plain[at:])
    assert read_header(tmp_path / "x.png")[:2] == (9, 6)
    turned = read_image(tmp_path / "x.png", 3)
    np.testing.assert_array_equal(turned, np.rot90(COLOURS, -1))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["tif", "png", "jpg", "webp"])
def test_head_and_picture_agree_in_every_orientation(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if suffix == "webp" else {}
    path = save(tmp_path / f"x.{suffix}", COLOURS, exif=exif, **options)
    image = read_image(path, 3)
    assert read_header(path)[:2] == image.shape[:2]
    assert image.shape[:2] == ((6, 9) if orientation < 5 else (9, 6))
    upright = COLOURS if orientation < 5 else COLOURS.transpose(1, 0, 2)
    rows = slice(None, None, -1 if orientation in (3, 4, 6, 7) else 1)
    rows = slice(None, None, -1) if orientation in (3, 4, 7, 8) else slice(None)
    columns = slice(None, None, -1) if orientation in (2, 3, 6, 7) else slice(None)
    if suffix != "jpg":
        np.testing.assert_array_equal(image, upright[rows, columns])


def test_sixteen_bits_are_turned_too(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = GRAY.astype(np.uint16) * 257
    path = save(tmp_path / "x.png", wide, exif=exif)
    assert read_header(path)[:2] == (9, 6)
    np.testing.assert_array_equal(read_image(path, 1)[..., 0], np.rot90(GRAY, -1))


def write_tiff(path, values, bits=16, photometric=1):
    """Writes gray values of a TIFF file, one strip, as Pillow writes none of."""
    height, width = values.shape
    if bits == 12:
        pairs = values.reshape(-1, 2)
        data = bytes(
            byte
            for a, b in pairs.tolist()
            for byte in (a >> 4, (a & 15) << 4 | b >> 8, b & 255)
        )
    else:
        data = values.astype("<u2").tobytes()
    tags = [
        (256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1),
        (262, 3, photometric), (273, 4, 8), (277, 3, 1), (278, 4, height),
        (279, 4, len(data)),
    ]  # fmt: skip
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, v) for tag, kind, v in tags)
    head = struct.pack("<2sHI", b"II", 42, 8 + len(data))
    count = struct.pack("<H", len(tags))
    path.write_bytes(head + data + count + directory + b"\0\0\0\0")


@pytest.mark.parametrize("bits,photometric", [(16, 1), (16, 0), (12, 1)])
def test_tiff_of_more_than_eight_bits(tmp_path, bits, photometric):
    values = RNG.integers(0, 2**bits, (4, 6))
    write_tiff(tmp_path / "x.tif", values, bits, photometric)
    shown = values if photometric else 2**bits - 1 - values
    header = read_header(tmp_path / "x.tif")
    assert (header.bits, header.is_exact) == (bits, bits == 12)
    image = read_image(tmp_path / "x.tif", 1, bits=bits)
    np.testing.assert_array_equal(image[..., 0], shown >> (bits - 8))


def test_a_negative_of_few_bits_uses_all_levels(tmp_path):
    values = RNG.integers(0, 1024, (4, 6))
    write_tiff(tmp_path / "x.tif", values, photometric=0)
    image = read_image(tmp_path / "x.tif", 1, bits=10)
    np.testing.assert_array_equal(image[..., 0], (1023 - values) >> 2)


@pytest.mark.parametrize("largest", [1023, 4095, 65535])
def test_pgm_of_sixteen_bits(tmp_path, largest):
    values = np.array([[0, largest // 2, largest]], ">u2")
    head = b"P5 3 1 %d\n" % largest
    (tmp_path / "x.pgm").write_bytes(head + values.tobytes())
    header = read_header(tmp_path / "x.pgm")
    assert header[:5] == (1, 3, True, 16, largest != 65535)
    assert read_image(tmp_path / "x.pgm", 1).ravel().tolist() == [0, 127, 255]


def write_wide(path, largest, significant=None):
    values = np.full((2, 2), largest, np.uint16)
    save(path, values)
    if significant is not None:
        plain = path.read_bytes()
        body = b"sBIT" + bytes([significant])
        chunk = struct.pack(">I", 1) + body + struct.pack(">I", zlib.crc32(body))
        path.write_bytes(plain[:33] + chunk + plain[33:])
    return path


@pytest.mark.parametrize(
    "largest,significant,bits",
    [
        (255, None, 8),
        (256, None, 10),
        (1023, None, 10),
        (4095, None, 12),
        (16383, None, 14),
        (16384, None, 16),
        (900, 12, 12),  # As noted, though less is used.
        (4096, 12, 16),  # Scaled up already, as the standard of PNG asks for.
        (500, 9, 9),
        (3, 2, 8),
    ],
)
def test_bits_that_are_used(tmp_path, largest, significant, bits):
    path = write_wide(tmp_path / "x.png", largest, significant)
    dark = write_wide(tmp_path / "dark.png", 3, significant)
    headers = [read_header(path), read_header(dark)]
    noted = {header.bits for header in headers if header.is_exact}
    assert len(noted) == (significant is not None)
    assert used_bits([dark, path, dark], noted) == bits
    assert read_image(path, 1, bits=bits)[0, 0, 0] == largest >> (bits - 8)


@pytest.mark.parametrize(
    "mode,options,transparent",
    [
        ("RGBA", {}, True),
        ("LA", {}, True),
        ("RGB", {"transparency": (0, 0, 0)}, True),
        ("RGB", {"transparency": (9, 9, 9)}, False),
        ("L", {"transparency": 0}, True),
        ("P", {"transparency": 0}, True),
        ("RGB", {}, False),
    ],
)
def test_transparent_parts_are_noticed(tmp_path, mode, options, transparent):
    image = Image.new("RGBA", (4, 4), (200, 200, 200, 255))
    image.putpixel((0, 0), (0, 0, 0, 0))
    if mode == "P":
        image = Image.frombytes("P", (4, 4), bytes(range(16)))
        image.putpalette([value for index in range(16) for value in [index] * 3])
    image.convert(mode).save(tmp_path / "x.png", **options)
    opaque = save(tmp_path / "y.png", COLOURS[:4, :4], "RGBA")
    found = []
    read_images([opaque, tmp_path / "x.png"], 3, (4, 4), on_transparent=found.append)
    assert found == [tmp_path / "x.png"] * transparent


def test_frames_that_are_not_read_are_noticed(tmp_path):
    frames = [Image.fromarray(COLOURS), Image.fromarray(255 - COLOURS)]
    for suffix in ("gif", "png", "tif", "webp"):
        path = tmp_path / f"x.{suffix}"
        frames[0].save(path, save_all=True, append_images=frames[1:])
        assert read_header(path).has_more, suffix
        frames[0].save(path)
        assert not read_header(path).has_more, suffix


@pytest.mark.parametrize(
    "array,mode",
    [
        (GRAY.astype(np.float32), None),
        (GRAY.astype(np.int32), None),
        (COLOURS, "LAB"),
    ],
)
def test_other_pixels_are_refused(tmp_path, array, mode):
    path = save(tmp_path / "x.tif", array, mode)
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


def test_files_that_wait_for_a_thread_are_few():
    count, rows = 20_000, []
    tracemalloc.start()
    image_files._for_each(count, lambda row: row, lambda row, same: rows.append(same))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == list(range(count))
    assert peak < 600 * count  # Each that waits takes a kilobyte and more.


def test_a_part_of_the_images_is_forgotten_before_the_next_is_read(
    tmp_path, monkeypatch
):
    places = [tmp_path / f"{row}.png" for row in range(5)]
    for row, place in enumerate(places):
        Image.new("L", (3, 2), row).save(place)
    read, earlier = image_files.read_images, []

    def read_images(*args, **kwargs):
        assert all(part() is None for part in earlier)
        images = read(*args, **kwargs)
        earlier.append(weakref.ref(images))
        return images

    monkeypatch.setattr(image_parts, "_PART", 2 * 3 * 2)
    monkeypatch.setattr(image_parts, "read_images", read_images)
    files = ImageFiles(Paths(places), np.arange(5))
    seen = []
    for part in image_parts.decoding_of_files(files, 1, (2, 3)).images_from(1):
        seen += part.images[:, 0, 0, 0].tolist()
        del part
    assert seen == [1, 2, 3, 4] and len(earlier) == 2


@pytest.mark.slow
def test_a_damaged_image_does_not_wait_for_the_others(tmp_path, monkeypatch):
    asked = []

    def read(path, *_):
        asked.append(path)
        raise InputError(f"{path} is damaged")

    monkeypatch.setattr(image_files, "_decode", read)
    with pytest.raises(InputError, match=r"^0 is damaged"):
        read_images(range(10_000), 3, (2, 2))
    assert len(asked) < 10_000


def test_a_whole_file_of_pixels_that_are_not_read_is_to_be_converted(tmp_path):
    path = tmp_path / "a.tiff"
    Image.fromarray(np.full((4, 4), 0.5, np.float32)).save(path)
    with pytest.raises(InputError, match=r"kind F.*convert it") as caught:
        read_header(path)
    assert "take it out" not in str(caught.value)
