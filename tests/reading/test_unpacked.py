import pathlib

import numpy as np
import pytest

from hdd_tf.data import memory
from hdd_tf.data_cache.setting import CacheSetting
from hdd_tf.errors import InputError
from hdd_tf.reading import sources
from hdd_tf.reading.folders.image_files import fit_image, read_image
from hdd_tf.reading.loading import load_dataset
from hdd_tf.reading.unpacked import find_unpacked, list_unpacked

WORDS = "n00000003\tcrane\nn00000001\tcrane, bird\nn00000002\tgoldfish, Carassius\n"


@pytest.fixture
def tiny(tmp_path, draw_image):
    """A partial TinyImageNet with an unlabelled test split; one image is gray."""
    root = tmp_path / "tiny-imagenet-200"
    wnids = ["n00000002", "n00000001", "n00000003"]
    for wnid in wnids:
        for index in (0, 1, 10):
            name = f"{wnid}_{index}.JPEG"
            draw_image(root / "train" / wnid / "images" / name, 64, 64)
        (root / "train" / wnid / f"{wnid}_boxes.txt").touch()
    draw_image(root / "train" / wnids[0] / "images" / f"{wnids[0]}_2.JPEG", 64, 64, "L")
    lines = []
    for index, wnid in enumerate([*wnids, "n00000009"]):
        draw_image(root / "val" / "images" / f"val_{index}.JPEG", 64, 64)
        lines.append(f"val_{index}.JPEG\t{wnid}\t0\t32\t44\t62\n")
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    draw_image(root / "test" / "images" / "test_0.JPEG", 64, 64)
    (root / "wnids.txt").write_text("\n".join([*wnids, "n00000009"]))
    (root / "words.txt").write_text(WORDS)
    return root


@pytest.fixture
def woof(tmp_path, draw_image):
    """A partial ImageWoof whose images have different sizes."""
    root = tmp_path / "imagewoof2-160"
    for wnid in ("n02115641", "n02086240"):
        for split, count in (("train", 3), ("val", 2)):
            for index in range(count):
                name = f"{split}_{wnid}_{index}.JPEG"
                draw_image(root / split / wnid / name, 160, 170 + 10 * index)
    (root / "noisy_imagewoof.csv").touch()
    return root


def test_tiny_imagenet(tiny, tmp_path, caplog):
    dataset = load_dataset("tiny-imagenet", str(tmp_path), 0.0, seed=0)
    assert dataset.name == "tiny_imagenet"
    # Sorted by wnid; a name that two classes share is none.
    assert dataset.label_names == ("n00000001", "goldfish", "n00000003")
    assert dataset.training.images.shape == (10, 64, 64, 3)
    assert np.bincount(dataset.training.labels).tolist() == [3, 4, 3]
    folder = tiny / "train" / "n00000002" / "images"
    for row, index in enumerate((0, 1, 10, 2), start=3):
        expected = read_image(folder / f"n00000002_{index}.JPEG", 3)
        np.testing.assert_array_equal(dataset.training.images[row], expected)
    # Without the image of a class that has no training images.
    assert dataset.test.labels.tolist() == [0, 1, 2]
    for row, index in enumerate((1, 0, 2)):
        expected = read_image(tiny / "val" / "images" / f"val_{index}.JPEG", 3)
        np.testing.assert_array_equal(dataset.test.images[row], expected)
    assert dataset.mean == (0.485, 0.456, 0.406)
    assert "10 training and 3 test images, the published set 100000" in caplog.text
    assert "serves" not in caplog.text  # What scores are published on is no makeshift.


def test_tiny_imagenet_sorted_into_class_folders(tiny):
    files = list_unpacked("tiny_imagenet", tiny)
    for index, wnid in enumerate(("n00000002", "n00000001", "n00000003")):
        home = tiny / "val" / wnid / "images"
        home.mkdir(parents=True)
        (tiny / "val" / "images" / f"val_{index}.JPEG").rename(
            home / f"val_{index}.JPEG"
        )
    (tiny / "val" / "val_annotations.txt").unlink()
    again = list_unpacked("tiny_imagenet", tiny)
    assert [path.name for path in again.test.paths] == [
        path.name for path in files.test.paths
    ]
    assert again.test.labels.tolist() == files.test.labels.tolist()


def test_imagewoof(woof, tmp_path, caplog):
    dataset = load_dataset("imagewoof", str(woof), 0.0, seed=0)
    assert dataset.label_names == ("Shih-Tzu", "dingo")
    assert dataset.training.images.shape == (6, 128, 128, 3)
    assert dataset.test.labels.tolist() == [0, 0, 1, 1]
    whole = read_image(woof / "train" / "n02115641" / "train_n02115641_2.JPEG", 3)
    np.testing.assert_array_equal(
        dataset.training.images[5], fit_image(whole, (128, 128))
    )
    assert dataset.std == (0.229, 0.224, 0.225)
    assert "6 training and 4 test images, the published set 9025" in caplog.text
    small = load_dataset("imagewoof", str(tmp_path), 0.0, 0, {}, (40, 30))
    np.testing.assert_array_equal(
        small.training.images[5], fit_image(dataset.training.images[5], (40, 30))
    )


def test_some_classes(tiny, tmp_path, caplog):
    dataset = load_dataset("tiny_imagenet", str(tmp_path), 0.0, 0, classes=("1", "2"))
    assert dataset.label_names == ("goldfish", "n00000003")
    assert np.bincount(dataset.training.labels).tolist() == [4, 3]
    assert dataset.test.labels.tolist() == [0, 1]
    assert "10 training and 3 test images" in caplog.text  # Whether it is whole.


def test_memory_is_checked_before_anything_is_read(woof, monkeypatch):
    needed = (6 + 4) * 16 * 16 * 3
    monkeypatch.setattr(memory, "available_memory", lambda: needed - 1)
    monkeypatch.setattr(sources, "read_images", None)
    with pytest.raises(InputError, match=f"need {needed:,} bytes"):
        load_dataset("imagewoof", str(woof), 0.0, 0, {}, (16, 16))


def test_prepared_copies_come_first(write_set, tiny, tmp_path):
    write_set(name="tiny_imagenet", shape=(64, 64, 3))
    dataset = load_dataset("tiny_imagenet", str(tmp_path), 0.0, seed=0)
    assert len(dataset.training.labels) == 12


def test_several_copies(woof, tmp_path):
    woof.with_name("imagewoof.old").symlink_to(woof)
    with pytest.raises(
        InputError, match=r"several copies of imagewoof: .*imagewoof.ol"
    ):
        find_unpacked("imagewoof", tmp_path)
    assert find_unpacked("imagewoof", woof) == woof


def test_other_folders_are_not_taken_for_a_set(tiny, woof, tmp_path):
    assert find_unpacked("imagewoof", tiny) is None
    assert find_unpacked("tiny_imagenet", woof) is None
    assert find_unpacked("imagewoof", pathlib.Path(tmp_path / "nowhere")) is None


def test_damaged_copies(tiny, draw_image):
    draw_image(tiny / "val" / "images" / "stranger.JPEG", 64, 64)
    with pytest.raises(InputError, match=r"does not name stranger.JPEG"):
        list_unpacked("tiny_imagenet", tiny)
    draw_image(tiny / "train" / "n00000007" / "1.JPEG", 64, 64)
    with pytest.raises(InputError, match="n00000007 is no class of tiny_imagenet"):
        list_unpacked("tiny_imagenet", tiny)


@pytest.mark.parametrize("name", ["tiny_imagenet", "imagewoof"])
def test_missing_without_a_network(tmp_path, no_network, name):
    with pytest.raises(InputError, match=r"download http.*, unpack it, and") as caught:
        load_dataset(name, str(tmp_path), 0.0, seed=0)
    assert "\n" not in str(caught.value)
    assert no_network and list(tmp_path.rglob("*")) == []


def test_kept_images_are_those_of_the_files(tiny, tmp_path, monkeypatch):
    def sums(classes=(), **settings):
        found = load_dataset(
            "tiny_imagenet", str(tmp_path), 0.0, 0, None, None, classes, **settings
        )
        return found.training.checksum, found.test.checksum, found.label_names

    caching = CacheSetting(str(tmp_path / "kept"))
    expected, expected_of_two = sums(), sums(("0", "2"))
    assert sums(caching=caching) == expected
    with monkeypatch.context() as patch:
        patch.delattr(sources, "read_images")
        assert sums(caching=caching) == expected
        assert sums(("0", "2"), caching=caching) == expected_of_two
    # Of another label, the same files are another split.
    lines = (tiny / "val" / "val_annotations.txt").read_text().splitlines()
    first, second = (line.split("\t")[1] for line in lines[:2])
    lines[:2] = [lines[0].replace(first, second), lines[1].replace(second, first)]
    (tiny / "val" / "val_annotations.txt").write_text("\n".join(lines))
    assert sums() == sums(caching=caching) != expected
