import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from hdd_tf.data import memory
from hdd_tf.errors import InputError
from hdd_tf.reading.folders import folder as folder_lib
from hdd_tf.reading.folders.folder import read_folder
from hdd_tf.reading.loading import load_dataset


@pytest.fixture
def pets(tmp_path, draw_image):
    """Makes a folder of so many images in each class folder; returns it."""

    def make(name="pets", size=(6, 6), mode="RGB", **counts):
        root = tmp_path / name
        for place, count in counts.items():
            folder = root / place.replace("__", "/")
            folder.mkdir(parents=True, exist_ok=True)
            for index in range(count):
                draw_image(folder / f"{place}{index}.png", *size, mode)
        return root

    return make


def pixels(path):
    return np.asarray(Image.open(path))


def test_train_and_test(pets, caplog):
    root = pets(train__dog=3, train__cat=2, test__dog=1, test__cat=2)
    source = read_folder(str(root))
    assert source.name == "folder:pets"
    assert source.label_names == ("cat", "dog")
    assert source.training.labels.tolist() == [0, 0, 1, 1, 1]
    assert source.test.labels.tolist() == [0, 0, 1]
    assert source.validation is None
    assert source.training.images.dtype == np.uint8
    np.testing.assert_array_equal(
        source.training.images[3], pixels(root / "train/dog/train__dog1.png")
    )
    assert not caplog.records


def test_validation_of_its_own(pets, caplog):
    root = pets(train__a=4, train__b=4, Valid__a=1, Valid__b=1, test__a=2, test__b=1)
    source = read_folder(str(root))
    assert len(source.validation.labels) == 2 and len(source.test.labels) == 3
    dataset = load_dataset(f"folder:{root}", None, 0.25, seed=0)
    assert len(dataset.training.labels) == 8
    np.testing.assert_array_equal(dataset.validation.images, source.validation.images)
    assert "it is used, and nothing is held out" in caplog.text


def test_validation_serves_where_there_is_no_test(pets, caplog):
    source = read_folder(str(pets(train__a=2, train__b=2, val__a=1)))
    assert source.validation is None
    assert source.test.labels.tolist() == [0]
    assert "its validation split serves as one" in caplog.text


def test_class_folders_alone(pets, caplog):
    root = pets(a=10, b=5, c=1)
    datasets = [load_dataset(f"folder:{root}", None, 0.0, seed) for seed in (0, 1)]
    for dataset in datasets:
        assert np.bincount(dataset.training.labels).tolist() == [8, 4, 1]
        assert np.bincount(dataset.test.labels).tolist() == [2, 1]
        # Whatever the run's seed, or seeds could not be compared.
        np.testing.assert_array_equal(dataset.test.images, datasets[0].test.images)
    whole = {pixels(path).tobytes() for path in root.rglob("*.png")}
    parts = (datasets[0].training, datasets[0].test)
    assert whole == {bytes(image) for part in parts for image in part.images}
    assert "3 of its 16 images are held out as one, 20% of each class" in caplog.text


def test_normalisation_is_that_of_the_training_images(pets):
    # Not of a published set, though the folder is called like one.
    root = pets("cifar10", train__a=3, train__b=2, test__a=1)
    dataset = load_dataset(f"folder:{root}", None, 0.0, seed=0)
    scaled = dataset.training.images / 255
    np.testing.assert_allclose(dataset.mean, scaled.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(dataset.std, scaled.std((0, 1, 2)), rtol=1e-6)


def test_gray_stays_gray_only_if_all_images_are(pets, draw_image):
    root = pets(train__a=2, train__b=2, test__a=1, mode="L")
    assert read_folder(str(root)).training.images.shape == (4, 6, 6, 1)
    draw_image(root / "test" / "b" / "colours.png")
    source = read_folder(str(root))
    assert source.training.images.shape == (4, 6, 6, 3)
    assert source.test.images.shape == (2, 6, 6, 3)


def test_sizes(pets, draw_image):
    root = pets(train__a=2, train__b=2, test__a=1)
    draw_image(root / "test" / "b" / "wide.png", 8, 20)
    with pytest.raises(InputError, match=r"6x6 \(.*\) and 8x20 \(.*wide.png\): give"):
        read_folder(str(root))
    source = read_folder(str(root), (4, 5))
    assert source.training.images.shape == (4, 4, 5, 3)
    assert source.test.images.shape == (2, 4, 5, 3)


def test_some_classes(pets, draw_image):
    root = pets(a=5, b=10, c=5)
    draw_image(root / "b" / "large.png", 60, 60)  # Of a class that is not read.
    source = read_folder(str(root), None, ("2", "a"))
    assert source.label_names == ("a", "c")
    assert np.bincount(source.training.labels).tolist() == [4, 4]
    with pytest.raises(InputError, match=r"no class 3; .* 0 \(a\), 1 \(b\), 2 \(c\)"):
        read_folder(str(root), None, ("0", "3"))


def test_what_does_not_fit_is_refused_before_it_is_read(pets, monkeypatch):
    root = pets(train__a=3, train__b=2, train__c=9, test__a=1)
    needed = (5 + 1) * 30 * 20 * 3
    monkeypatch.setattr(memory, "available_memory", lambda: needed - 1)
    monkeypatch.setattr(folder_lib, "read_images", None)
    with pytest.raises(InputError, match=f"need {needed:,} bytes"):
        read_folder(str(root), (30, 20), ("a", "b"))
    monkeypatch.undo()
    monkeypatch.setattr(memory, "available_memory", lambda: needed)
    assert len(read_folder(str(root), (30, 20), ("a", "b")).test.labels) == 1


@pytest.mark.parametrize("what", ["loose", "empty"])
@pytest.mark.parametrize("split", ["test", "validation"])
def test_a_split_without_class_folders_is_not_used(
    pets, caplog, draw_image, split, what
):
    root = pets(train__a=5, train__b=5)
    (root / split).mkdir()
    if what == "loose":
        draw_image(root / split / "0.png")
    source = read_folder(str(root))
    assert source.validation is None
    assert np.bincount(source.test.labels).tolist() == [1, 1]
    assert f"{split} has no class folders and is not used" in caplog.text
    assert "2 of its 10 images are held out" in caplog.text


@pytest.mark.parametrize("split", ["test", "validation"])
def test_chosen_classes_without_an_image_in_a_split(pets, monkeypatch, split):
    counts = {"test__a": 1, "validation__a": 1, f"{split}__a": 0, f"{split}__c": 1}
    root = pets(train__a=2, train__b=2, train__c=2, **counts)
    if not list((root / split / "a").iterdir()):
        (root / split / "a").rmdir()
    monkeypatch.setattr(folder_lib, "read_images", None)
    with pytest.raises(InputError, match=f"the {split} split of .* no image of --clas"):
        read_folder(str(root), None, ("a", "b"))


def test_values_of_fewer_bits_than_their_container(tmp_path, caplog):
    rng = np.random.default_rng(0)
    values = rng.integers(0, 4096, (10, 6, 6)).astype(np.uint16)
    for index, image in enumerate(values):
        path = tmp_path / "scans" / "ab"[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    read = read_folder(str(tmp_path / "scans"))
    images = np.concatenate([read.training.images, read.test.images])[..., 0]
    found = {image.tobytes() for image in images}
    assert found == {image.tobytes() for image in (values >> 4).astype(np.uint8)}
    assert "use 12 bits: 0 ... 4095 becomes 0 ... 255" in caplog.text


def test_colours_of_sixteen_bits_that_use_few_of_them(tmp_path, caplog):
    for name in ("a/0", "a/1", "a/2", "b/0", "b/1", "b/2"):
        (tmp_path / "deep" / name).parent.mkdir(parents=True, exist_ok=True)
        values = np.random.default_rng(0).integers(0, 4096, (4, 4, 3))
        write_deep_colours(tmp_path / "deep" / f"{name}.png", values)
    read_folder(str(tmp_path / "deep"))
    assert "6 images of 16 bits in colour" in caplog.text
    assert "use only 16 of the 256 levels" in caplog.text


def test_sixteen_bits_of_gray_beside_transparency_are_gray(tmp_path, caplog):
    values = np.random.default_rng(0).integers(0, 1 << 16, (6, 4, 4, 2))
    values[..., 1] = (1 << 16) - 1
    for name, image in zip(
        ("a/0", "a/1", "a/2", "b/0", "b/1", "b/2"), values, strict=True
    ):
        (tmp_path / "deep" / name).parent.mkdir(parents=True, exist_ok=True)
        write_deep_colours(tmp_path / "deep" / f"{name}.png", image)
    read = read_folder(str(tmp_path / "deep"))
    images = np.concatenate([read.training.images, read.test.images])
    found = {image.tobytes() for image in images}
    assert found == {
        image.tobytes() for image in (values[..., :1] >> 8).astype(np.uint8)
    }


def write_deep_colours(path, values):
    """Writes a PNG file of 16 bits a channel: colours, or gray and transparency."""
    height, width, channels = values.shape
    rows = [b"\0" + row.astype(">u2").tobytes() for row in values]
    chunks = [
        (
            b"IHDR",
            struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2}[channels], 0, 0, 0),
        ),
        (b"IDAT", zlib.compress(b"".join(rows))),
        (b"IEND", b""),
    ]
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data))
            + kind
            + data
            + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in chunks
        )
    )


@pytest.mark.parametrize("same_colour", [True, False])
def test_transparency_is_dropped_with_a_word(tmp_path, caplog, same_colour):
    rng = np.random.default_rng(0)
    for name in ("a/0", "a/1", "a/2", "b/0", "b/1", "b/2"):
        pixels = rng.integers(0, 256, (4, 4, 4)).astype(np.uint8)
        pixels[..., :3] *= not same_colour
        (tmp_path / "icons" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "icons" / f"{name}.png")
    if same_colour:
        with pytest.raises(InputError, match="which is not read; flatten"):
            read_folder(str(tmp_path / "icons"))
        assert not caplog.records
    else:
        read_folder(str(tmp_path / "icons"))
        assert "6 images have transparent parts" in caplog.text


def test_names_that_would_move_the_cursor_are_escaped(pets, caplog):
    root = pets(train__a=2, train__b=2, test__a=1, test__b=1)
    (root / "train" / "a" / "A\x1b[2J\x07.txt").touch()
    read_folder(str(root))
    (record,) = caplog.records
    assert record.message.endswith(r"A\x1b[2J\x07.txt.")


@pytest.mark.parametrize(
    "counts,message",
    [
        ({}, "there is no such folder"),
        ({"train__a": 0, "train__b": 1}, r"class folder .*train/a has no images"),
        ({"a": 2, "b": 0}, r"class folder .*/b has no images"),
        ({"a": 5}, r"has 1 class \(a\); at least two"),
        ({"a": 1, "b": 1}, "too few images to hold some out"),
        ({"test__a": 1, "test__b": 1}, "has test/ but no train/"),
        ({"train__a": 1, "training__b": 1}, "both train/ and training/"),
        ({"train__a": 2, "train__b": 2, "test__c": 1}, "test has the class c, but .*t"),
        ({"train": 3}, "train has no class folders"),
        ({" a": 2, "b": 2}, "the class folder ' a'"),
        ({"a\nb": 2, "b": 2}, r"the class folder 'a\\nb'"),
    ],
)
def test_folders_that_cannot_be_used(pets, tmp_path, caplog, counts, message):
    pets(**counts)
    with pytest.raises(InputError, match=message) as caught:
        read_folder(str(tmp_path / "pets"))
    assert "\n" not in str(caught.value)
    assert not caplog.records  # One line is all that is said.


def test_images_that_links_put_into_two_classes_or_splits_are_told(pets, caplog):
    root = pets(train__a=2, train__b=2, test__b=1)
    (root / "train" / "c").symlink_to("a", target_is_directory=True)
    (root / "train" / "a" / "again.png").symlink_to("train__a0.png")
    (root / "test" / "a").symlink_to("../train/a", target_is_directory=True)
    source = read_folder(str(root))
    assert source.label_names == ("a", "b", "c")
    assert np.bincount(source.training.labels).tolist() == [3, 2, 3]
    said = [record.message for record in caplog.records]
    assert said == [
        f"3 images are in two classes through symbolic links, such as {root}/train/a/"
        f"again.png and {root}/train/c/again.png in a and c: take the links out unless "
        "both are meant.",
        f"3 images are in two splits through symbolic links, such as {root}/train/a/"
        f"again.png and {root}/test/a/again.png in train and test: scores are of "
        "images that were seen before.",
    ]


def test_links_that_share_no_image_are_not_told(pets, caplog):
    root = pets(train__a=2, train__b=2, real__a=1, real__b=1)
    (root / "test").symlink_to("real", target_is_directory=True)
    assert len(read_folder(str(root)).test.labels) == 2
    assert "symbolic links" not in caplog.text


@pytest.mark.parametrize("damage", ["no image", None])
def test_damaged_images(pets, damage):
    root = pets(a=3, b=3)
    path = root / "b" / "b1.png"
    path.write_bytes(damage.encode() if damage else path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"b1\.png cannot be read as an image"):
        read_folder(str(root))


def test_other_files_and_folders_are_left_out(pets, caplog):
    root = pets(train__a=2, train__b=2, test__a=1, unlabelled=2)
    (root / "train" / "a" / "boxes.csv").touch()
    assert len(read_folder(str(root)).training.labels) == 4
    assert "2 files or folders below" in caplog.text
