"""Heads of image files, which a later start does not read again."""

import builtins
import os

import numpy as np
import pytest
from PIL import Image

from hdd_tf.data_cache.cache import DataCache
from hdd_tf.errors import InputError
from hdd_tf.reading.folders.folder import read_folder


@pytest.fixture
def root(tmp_path):
    """A folder of gray and coloured images, of 8 and of 12 bits."""
    root = tmp_path / "pets"
    rng = np.random.default_rng(1)
    for split, count in (("train", 4), ("test", 2)):
        for label in ("cat", "dog"):
            (root / split / label).mkdir(parents=True)
            for index in range(count):
                pixels = rng.integers(0, 256, (5, 6, 3), np.uint8)
                Image.fromarray(pixels).save(root / split / label / f"{index}.png")
    deep = rng.integers(0, 4096, (5, 6)).astype(np.uint16)
    deep[0, 0] = 4095
    Image.fromarray(deep).save(root / "train/cat/deep.png")
    return root


@pytest.fixture
def opened(monkeypatch):
    """Notes the image files that are opened from now on."""
    names, whole = [], builtins.open

    def note(file, *args, **kwargs):
        if str(file).endswith(".png"):
            names.append("/".join(str(file).split("/")[-3:]))
        return whole(file, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", note)
    return names


def start(root, keeps=True, image_size=None):
    cache = DataCache(root.parent / "cache", keeps=keeps, store="disk")
    return read_folder(str(root), image_size, (), cache)


def same(source, expected):
    for split in ("training", "test"):
        part, other = getattr(source, split), getattr(expected, split)
        np.testing.assert_array_equal(part.images[:], other.images[:])
        np.testing.assert_array_equal(part.labels, other.labels)


def test_a_second_start_opens_no_image(root, opened, caplog):
    first = start(root)
    # The head of each, the values of the deep one, and then all to decode them.
    assert len(opened) == 13 + 1 + 13 and len(set(opened)) == 13
    said = [record.getMessage() for record in caplog.records]
    assert any("use 12 bits" in line for line in said)
    opened.clear()
    caplog.clear()
    second = start(root)
    assert not opened
    same(second, first)
    same(second, read_folder(str(root)))
    assert [record.getMessage() for record in caplog.records][: len(said)] == said


def test_of_changed_and_new_files_alone_heads_are_read(root, opened):
    start(root)
    Image.new("RGB", (6, 5), (9, 8, 7)).save(root / "train/dog/new.png")
    changed = root / "test/cat/1.png"
    os.utime(changed, ns=(1, os.stat(changed).st_mtime_ns + 1))
    (root / "train/dog/0.png").rename(root / "train/dog/moved.png")
    os.unlink(root / "train/cat/2.png")
    opened.clear()
    files = start(root)
    heads = opened[:3]
    assert sorted(heads) == [
        "test/cat/1.png",
        "train/dog/moved.png",
        "train/dog/new.png",
    ]
    assert len(opened) == 3 + 13  # Both splits are decoded anew.
    same(files, read_folder(str(root)))
    opened.clear()
    same(start(root), files)
    assert not opened


def test_files_are_refused_as_if_all_were_read(root):
    start(root)
    Image.new("RGB", (7, 5)).save(root / "test/dog/large.png")
    with pytest.raises(InputError, match=r"different sizes, such as 5x6 .* and 5x7"):
        start(root)
    # What is known does not depend on the size that is asked for.
    assert start(root, image_size=(4, 4)).training.images.shape[1:3] == (4, 4)
    (root / "test/dog/large.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"large\.png cannot be read as an image"):
        start(root)


def test_a_start_that_may_write_nothing_keeps_nothing(root, opened):
    start(root)
    (record,) = (root.parent / "cache").glob("*/known-*.bin")
    record.unlink()
    opened.clear()
    start(root, keeps=False)
    assert len(opened) == 14 and not record.exists()
    # In memory nothing is kept of a folder.
    cache = DataCache(root.parent / "other", store="memory")
    read_folder(str(root), None, (), cache)
    assert not cache.directory.exists()


def test_another_pillow_reads_all_heads_anew(root, opened, monkeypatch):
    start(root)
    opened.clear()
    monkeypatch.setattr("hdd_tf.reading.folders.known_headers._KIND", "another")
    start(root)
    assert len(opened) == 14
